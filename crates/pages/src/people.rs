//! What a person sees who makes headshots: invited or sent by a partner, step by step.

use crate::{
    Notice, Template,
    ui::{Badge, Button, Field, Icon, Tone},
};

/// The steps of a session, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Name and agreement.
    Agree,
    /// Photos are uploaded and judged.
    Photos,
    /// Headshots are being made.
    Wait,
    /// Headshots are ready.
    Results,
}

impl Step {
    /// Every step and its name.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Agree, "You"),
        (Self::Photos, "Photos"),
        (Self::Wait, "Studio"),
        (Self::Results, "Headshots"),
    ];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as templates call it")]
    fn is_current(self, current: &Self) -> bool {
        self == *current
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as templates call it")]
    fn is_done(self, current: &Self) -> bool {
        self < *current
    }
}

/// The frame around every page of a session.
#[derive(Debug, Clone)]
pub struct PersonFrame {
    /// Anti-forgery token for every form of the page.
    pub csrf: String,
    /// The session's id, part of every address.
    pub model: String,
    /// For whom the headshots are made.
    pub org_name: String,
    /// Where the person is.
    pub step: Step,
    /// Whether it is a test session.
    pub development: bool,
    /// Whether the browser is signed in, and so has an account's page.
    pub account: bool,
    /// What the last action did, if anything.
    pub notice: Option<Notice>,
}

impl PersonFrame {
    /// An address of the session.
    fn path(&self, rest: &str) -> String {
        let model = &self.model;
        if rest.is_empty() {
            format!("/team-member/shoots/{model}")
        } else {
            format!("/team-member/shoots/{model}/{rest}")
        }
    }
}

/// `/auth/signup?invite=`; posts `invite`, `name` to `/auth/signup`.
///
/// Holds the invite's id, which opens it: prints without it.
#[derive(Clone, Template)]
#[template(path = "people/join.html")]
pub struct Join {
    /// Anti-forgery token.
    pub csrf: String,
    /// The invite's id.
    pub invite: String,
    /// Who invites.
    pub org_name: String,
    /// Who is invited.
    pub email: String,
    /// Name as typed.
    pub name: String,
    /// Why the name was refused.
    pub error: Option<String>,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join")
            .field("org_name", &self.org_name)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// An invite or a session's link that opens nothing any more.
#[derive(Debug, Clone, Template)]
#[template(path = "people/closed.html")]
pub struct Closed {
    /// What happened, as a title.
    pub title: &'static str,
    /// Why, and what to do.
    pub text: String,
}

/// The first step; posts `name`, `gender`, `version`, `agree` to `.../consent`.
#[derive(Debug, Clone, Template)]
#[template(path = "people/agree.html")]
pub struct Agree {
    /// The frame.
    pub frame: PersonFrame,
    /// Name as typed, or as known.
    pub name: String,
    /// `male`, `female`, or empty.
    pub gender: String,
    /// What is agreed to.
    pub paragraphs: &'static [&'static str],
    /// Which text that is.
    pub version: &'static str,
    /// Why the form was refused.
    pub error: Option<String>,
}

impl Agree {
    /// Value, label, and whether it is chosen.
    fn genders(&self) -> [(&'static str, &'static str, bool); 3] {
        let choices = [
            ("", "Rather not say"),
            ("female", "Female"),
            ("male", "Male"),
        ];
        choices.map(|(value, label)| (value, label, value == self.gender))
    }
}

/// An uploaded photo and what is said of it.
#[derive(Debug, Clone)]
pub struct UploadRow {
    /// Its id.
    pub id: String,
    /// Whether the shoot may use it.
    pub usable: bool,
    /// What was found: whether it refuses the photo, and a sentence.
    pub findings: Vec<(bool, String)>,
}

impl UploadRow {
    fn badge(&self) -> Badge {
        let tone = if !self.usable {
            Tone::Bad
        } else if self.findings.is_empty() {
            Tone::Good
        } else {
            Tone::Warn
        };
        Badge::new(tone, self.word())
    }

    /// The verdict in a word or three.
    pub fn word(&self) -> &'static str {
        if !self.usable {
            "Can't be used"
        } else if self.findings.is_empty() {
            "Good"
        } else {
            "Usable"
        }
    }
}

/// The second step; files go to `.../uploads` as `photos`, the rest to `.../submit`.
#[derive(Debug, Clone, Template)]
#[template(path = "people/photos.html")]
pub struct Photos {
    /// The frame.
    pub frame: PersonFrame,
    /// What was uploaded, oldest first.
    pub uploads: Vec<UploadRow>,
    /// The most photos that can be uploaded.
    pub uploads_max: usize,
    /// The largest file, in megabytes.
    pub megabytes_max: usize,
    /// Files that were not taken, and why.
    pub problems: Vec<(String, String)>,
    /// Photos that the shoot makes.
    pub photos: usize,
}

impl Photos {
    fn usable(&self) -> usize {
        self.uploads.iter().filter(|upload| upload.usable).count()
    }

    fn is_full(&self) -> bool {
        self.uploads.len() >= self.uploads_max
    }

    fn can_submit(&self) -> bool {
        self.usable() > 0 || self.frame.development
    }

    fn submit_label(&self) -> String {
        format!("Make my {} headshots", self.photos)
    }

    fn summary(&self) -> String {
        match self.usable() {
            0 if self.frame.development => {
                "A test session uses sample portraits: no photo is needed.".to_owned()
            }
            0 => "One photo that can be used is enough; four to eight are best.".to_owned(),
            1 => "1 photo can be used. Four to eight are best.".to_owned(),
            n @ 2..4 => format!("{n} photos can be used. Four to eight are best."),
            n => format!("{n} photos can be used."),
        }
    }
}

/// An uploaded photo by its place, as the alternative text says it too.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as templates call it")]
pub(crate) fn photo_name(index: &usize) -> String {
    format!("photo {}", index + 1)
}

/// A headshot on a page.
#[derive(Debug, Clone)]
pub struct HeadshotCard {
    /// Its id.
    pub id: String,
    /// Where its thumbnail is.
    pub thumbnail: String,
    /// Where the main size is shown.
    pub main: String,
    /// Where the main size is downloaded.
    pub download: String,
    /// Where the largest size is downloaded.
    pub download_original: String,
    /// What is behind the person, in words: *navy backdrop*.
    pub backdrop: String,
    /// Width and height of the thumbnail in pixels.
    pub size: (usize, usize),
    /// Whether it is the favourite.
    pub favorite: bool,
    /// Whether the person loves it.
    pub loved: bool,
}

/// The third step: waiting, with what is there already.
#[derive(Debug, Clone, Template)]
#[template(path = "people/waiting.html")]
pub struct Waiting {
    /// The frame.
    pub frame: PersonFrame,
    /// The session's status, as the API spells it.
    pub status: &'static str,
    /// How many shoots come before this one.
    pub ahead: i64,
    /// Photos that are there.
    pub made: i64,
    /// Photos that there will be.
    pub total: i64,
    /// How much of the work is done, in percent, where a generator tells.
    pub percent: Option<u8>,
    /// What is there.
    pub photos: Vec<HeadshotCard>,
}

impl Waiting {
    fn sentence(&self) -> String {
        waiting_sentence(
            self.status,
            self.ahead,
            (self.made, self.total),
            self.percent,
        )
    }
}

/// What a waiting person is told.
pub fn waiting_sentence(
    status: &str,
    ahead: i64,
    (made, total): (i64, i64),
    percent: Option<u8>,
) -> String {
    match (status, ahead) {
        ("waiting", 0) => "You are next.".to_owned(),
        ("waiting", 1) => "One person is ahead of you.".to_owned(),
        ("waiting", n) => format!("{n} people are ahead of you."),
        ("pending", _) => "Your photos are being studied.".to_owned(),
        ("failed", _) => {
            "Something went wrong in the studio. It is tried again by itself; nothing is lost."
                .to_owned()
        }
        // Some generators study for long before there is a photo.
        _ => match percent.filter(|percent| made == 0 && *percent > 0) {
            Some(percent) => format!("Your headshots are being prepared: {percent} % is done."),
            None => format!("{made} of {total} headshots are made."),
        },
    }
}

/// The last step: look, choose, download.
#[derive(Debug, Clone, Template)]
#[template(path = "people/results.html")]
pub struct Results {
    /// The frame.
    pub frame: PersonFrame,
    /// The headshots.
    pub photos: Vec<HeadshotCard>,
}

impl Results {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as templates call it")]
    fn headshot_name(&self, index: &usize) -> String {
        format!("headshot {} of {}", index + 1, self.photos.len())
    }
}

/// `.../erase`: what goes, and that it can't be undone.
#[derive(Debug, Clone, Template)]
#[template(path = "people/erase.html")]
pub struct Erase {
    /// The frame.
    pub frame: PersonFrame,
    /// How many uploaded photos go.
    pub uploads: usize,
    /// How many headshots go.
    pub photos: usize,
}
