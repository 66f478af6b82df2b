//! Looking at a selfie: faces, landmarks, measurements, verdict, and the choice of the best.

pub mod detect;
pub mod landmarks;
pub mod quality;
pub mod select;
pub mod verdict;
