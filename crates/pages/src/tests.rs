//! What must hold for every page and for the tokens.

mod contrast;
mod every_page;
mod outline;
mod tags;
