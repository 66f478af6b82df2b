//! The bundled portraits: real photos with a free licence, for demonstrations and test sessions.
//! Who made them is in `portraits/CREDITS.md`.
//!
//! They are too small for headshots, so they come as the engine itself enlarges them: a test session
//! has to be over soon.

/// A bundled portrait.
#[derive(Debug, Clone, Copy)]
pub struct Portrait {
    /// A short name.
    pub name: &'static str,
    /// The file: a JPEG or PNG that [`crate::Engine::open`] finds usable.
    pub bytes: &'static [u8],
}

/// All of them.
pub const ALL: &[Portrait] = &[
    Portrait {
        name: "astronaut",
        bytes: include_bytes!("../portraits/enlarged/astronaut.jpg"),
    },
    Portrait {
        name: "obama",
        bytes: include_bytes!("../portraits/enlarged/obama.jpg"),
    },
    Portrait {
        name: "obama2",
        bytes: include_bytes!("../portraits/enlarged/obama2.jpg"),
    },
];
