//! Looking at a selfie: faces, landmarks, measurements, verdict, and the choice of the best; looking
//! at several: whether they show one person.

pub mod detect;
pub mod identity;
pub mod landmarks;
pub mod quality;
pub mod select;
mod trust;
pub mod verdict;
