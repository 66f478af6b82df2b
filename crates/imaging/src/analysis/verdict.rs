//! Is this selfie good enough? One table of rules, each with its threshold and the reason for it.

use super::identity::{Identity, SAME_PERSON_MAX};
use super::quality::{Quality, UNMEASURED};
use super::trust::{LEVEL_CROWN_MAX, PRINT_MAX};
use crate::decode::DecodeError;

/// What a finding means for the photo.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Usable, but the result may disappoint; better selfies go first.
    Warning,
    /// Not usable: no headshot is made from it.
    Refusal,
}

/// The side of the threshold on which a photo is fine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// The measured value must reach this.
    AtLeast(f32),
    /// The measured value must not exceed this.
    AtMost(f32),
}

impl Limit {
    fn holds(self, value: f32) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    fn threshold(self) -> f32 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }
}

/// One rule of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable machine code.
    pub code: &'static str,
    /// What breaking it means.
    pub severity: Severity,
    /// Sentence for the person who uploaded the photo.
    pub sentence: &'static str,
    /// The value it looks at.
    pub measure: fn(&Quality) -> f32,
    /// Where it breaks.
    pub limit: Limit,
    /// Why the threshold lies there.
    pub reason: &'static str,
}

/// Code of the finding when there is no face at all.
pub const NO_FACE: &str = "no_face";
/// The published sentence for it.
pub const NO_FACE_SENTENCE: &str = "No face found in this photo.";

use Limit::{AtLeast, AtMost};
use Severity::{Refusal, Warning};

/// Code of the refusal of a photo that shows somebody else than most photos of its set.
pub const DIFFERENT_PERSON: &str = "different_person";

/// Texture of skin up to which it is paint, a mask, or skin that a filter has replaced.
const PAINTED_MAX: f32 = 0.08;

/// Spread of colour below which a face has one tint.
const ONE_TINT: f32 = 2.0;

/// Whether it is for want of light that a face has one tint.
fn is_without_light(q: &Quality) -> bool {
    q.luma < 0.2 && q.colours < ONE_TINT
}

/// The rules, in the order in which findings are told.
pub const RULES: &[Rule] = &[
    Rule {
        code: NO_FACE,
        severity: Refusal,
        sentence: NO_FACE_SENTENCE,
        measure: |q| q.presence,
        limit: AtLeast(0.5),
        reason: "the mesh network's own decision boundary; portraits reach 0.99",
    },
    Rule {
        code: "several_people",
        severity: Refusal,
        sentence: "More than one person in this photo. Please upload a photo of you alone.",
        measure: |q| q.second_face,
        limit: AtMost(0.45),
        reason: "from about half the size a second face is beside the person, not far behind",
    },
    Rule {
        code: "face_cut",
        severity: Refusal,
        sentence: "The face is cut off by the edge of this photo.",
        measure: |q| q.face_cut,
        limit: AtMost(0.03),
        reason: "one of 36 outline points may leave the frame by error of measurement",
    },
    Rule {
        code: "face_too_small",
        severity: Refusal,
        sentence: "The face is too small in this photo. Please come closer to the camera.",
        measure: |q| q.eye_distance,
        limit: AtLeast(40.0),
        reason: "40 px between the eyes can be drawn four times as large, which is a full headshot; \
                 with 29 lids and teeth are drawn out of the JPEG's blocks, and below lids and lips \
                 are guesswork",
    },
    Rule {
        code: "no_skin_colour",
        severity: Refusal,
        sentence: "This photo shows no natural skin colour. Black-and-white photos, covered faces, \
                   statues and drawings cannot be used.",
        measure: |q| q.skin_chroma,
        limit: AtLeast(4.0),
        reason: "human skin of every tone lies above Lab chroma 8 under white light; stone, \
                 pencil and grey photos below 3",
    },
    Rule {
        code: "unnatural_colour",
        severity: Refusal,
        sentence: "The face has a colour in this photo that skin does not have. Please use plain \
                   light and no filter.",
        measure: |q| q.hue_off,
        limit: AtMost(10.0),
        reason: "skin of every tone lies between pink and yellow, cold light moves pale skin out by \
                 up to 5; blue, green and magenta faces lie 16 and more outside",
    },
    Rule {
        code: "one_tint",
        severity: Refusal,
        sentence: "This photo has only one tint. Toned photos, statues and drawings cannot be used.",
        measure: |q| {
            if is_without_light(q) {
                f32::MAX
            } else {
                q.colours
            }
        },
        limit: AtLeast(ONE_TINT),
        reason: "lips, cheeks and shadows of a face differ by 3.5 and more at one lightness, those of \
                 a grey photo toned like sandstone or bronze by 1.1 and less",
    },
    Rule {
        code: "posterised",
        severity: Refusal,
        sentence: "This photo has too few shades. Please upload it without effects.",
        measure: |q| q.posterised,
        limit: AtMost(0.6),
        reason: "photos leave no level empty, one whose contrast an editor has doubled half of them",
    },
    Rule {
        code: "pixelated",
        severity: Refusal,
        sentence: "This photo is made of blocks: it was enlarged or hidden behind a mosaic. Please \
                   upload the original.",
        measure: |q| q.evenness,
        limit: AtLeast(0.2),
        reason: "neighbouring columns of portraits, also of those with strong JPEG blocks, measure 0.4 \
                 and more; a picture whose pixels were repeated 0.0",
    },
    Rule {
        code: "damaged",
        severity: Refusal,
        sentence: "Parts of this photo are destroyed. Please upload it once more.",
        measure: |q| q.confetti,
        limit: AtMost(0.02),
        reason: "photos have no such place; a flipped bit in a lossless WebP fills a fiftieth of the \
                 person and more",
    },
    Rule {
        code: "not_a_photo",
        severity: Refusal,
        sentence: "This does not look like a photo of a person.",
        measure: |q| q.shading,
        limit: AtLeast(0.55),
        reason: "light and pores change skin almost everywhere (0.9 and more, strongly compressed 0.7); an evenly \
                 filled drawing changes only at its lines, a photo made a cartoon of in 0.4",
    },
    Rule {
        code: "painted",
        severity: Refusal,
        sentence: "The skin in this photo has no pores: it is a mask, a picture, or smoothed by a filter. \
                   Please upload a photo without effects.",
        measure: |q| q.texture,
        limit: AtLeast(PAINTED_MAX),
        reason: "skin in photos changes everywhere, as much as 0.13 of what lids and lips do and 0.1 when \
                 strongly compressed; in cartoons, oil and mosaic filters and on a mask 0.01 to 0.08",
    },
    Rule {
        code: "rough",
        severity: Refusal,
        sentence: "The face is covered by noise or strokes in this photo: it is drawn, painted, or was \
                   taken in too little light. Please upload a photo taken in good light.",
        measure: |q| q.roughness,
        limit: AtMost(20.0),
        reason: "portraits measure 2 to 12, very noisy ones 16, coloured pencil 23 and more",
    },
    Rule {
        code: "blurry",
        severity: Refusal,
        sentence: "This photo is blurry. Please hold the camera still and focus on the face.",
        measure: |q| q.sharpness,
        limit: AtLeast(28.0),
        reason: "sharp portraits measure 100 to 900; a Gaussian blur of 2 px at this size brings \
                 all of them below 28",
    },
    Rule {
        code: "too_little_detail",
        severity: Refusal,
        sentence: "This photo shows less than its size promises: it was enlarged, or is out of \
                   focus. Please upload the original.",
        measure: |q| q.detail,
        limit: AtLeast(9.0),
        reason: "portraits measure 28 to 640 at the size of a headshot, a noisy one by candlelight \
                 11; one with 21 px between the eyes, enlarged, 8 and less",
    },
    Rule {
        code: "motion_blur",
        severity: Refusal,
        sentence: "This photo is blurred by movement. Please hold the camera still.",
        measure: |q| q.motion,
        limit: AtLeast(0.22),
        reason: "still portraits measure 0.4 and more; a movement of a twelfth of the distance \
                 between the eyes pushes all of them below 0.2",
    },
    Rule {
        code: "too_dark",
        severity: Refusal,
        sentence: "The face is too dark in this photo. Please find more light.",
        // A dark face of one colour is lost as a whole.
        measure: |q| {
            if is_without_light(q) {
                1.0
            } else {
                q.clipped_low
            }
        },
        limit: AtMost(0.30),
        reason: "judged by lost detail and lost colour and not by brightness, so that dark skin is never \
                 refused for its tone",
    },
    Rule {
        code: "overexposed",
        severity: Refusal,
        sentence: "The face is overexposed in this photo. Please avoid direct light.",
        measure: |q| q.clipped_high,
        limit: AtMost(0.12),
        reason: "highlights on nose and forehead stay below 5 % of the face",
    },
    Rule {
        code: "eyes_closed",
        severity: Refusal,
        sentence: "The eyes are closed in this photo.",
        measure: |q| q.eye_openness,
        limit: AtLeast(0.19),
        reason: "open eyes, narrow ones and smiling ones too, measure 0.2 to 0.4, lids about to close 0.18",
    },
    Rule {
        code: "sunglasses",
        severity: Refusal,
        sentence: "An eye is hidden in this photo. Please take off sunglasses, and whatever is before it.",
        measure: |q| q.eye_visibility,
        limit: AtLeast(0.3),
        reason: "portraits measure 0.36 and more, also noisy, small or strongly compressed; an eye behind dark or \
                 mirroring glasses, a hand, a patch or a phone 0.24 and less",
    },
    Rule {
        code: "face_covered",
        severity: Refusal,
        sentence: "The face is covered in this photo. Please take off your mask.",
        measure: |q| q.covered,
        limit: AtMost(11.0),
        reason: "something between the nose's tip and the chin has the colour of the skin around the eyes, within 6 \
                 on portraits and 8 on strongly compressed ones, beards included; masks measure 14 and more",
    },
    Rule {
        code: "mouth_hidden",
        severity: Refusal,
        sentence: "The mouth is hidden in this photo. Please show your whole face.",
        measure: |q| q.mouth_visibility,
        limit: AtLeast(0.32),
        reason: "portraits measure 0.36 and more, with a closed mouth too; behind fingers 0.28 and less, behind a \
                 mask of the skin's colour 0.01",
    },
    Rule {
        code: "face_turned_away",
        severity: Refusal,
        sentence: "The face is turned away in this photo. Please look at the camera.",
        measure: |q| q.yaw.abs(),
        limit: AtMost(38.0),
        reason: "beyond, the far eye narrows and the far ear's edge cannot be lit plausibly",
    },
    Rule {
        code: DIFFERENT_PERSON,
        severity: Refusal,
        sentence: "This photo shows a different person than most of your photos.",
        measure: |q| q.stranger,
        limit: AtMost(SAME_PERSON_MAX),
        reason: "the distance at which the network's maker measured it; of the portraits at hand \
                 two of one person measure 0.5 and less, of two people 0.68 and more",
    },
    Rule {
        code: "people_differ",
        severity: Warning,
        sentence: "Your photos show different people. Please remove those that are not of you.",
        measure: |q| q.undecided,
        limit: AtMost(SAME_PERSON_MAX),
        reason: "as for `different_person`; one photo against one cannot tell who is meant, so \
                 nobody is left out",
    },
    Rule {
        code: "looking_down",
        severity: Warning,
        sentence: "The head is bent forward or back in this photo.",
        measure: |q| q.pitch.abs(),
        limit: AtMost(28.0),
        reason: "with a head bent this far the eyes look out from under the lids",
    },
    Rule {
        code: "upside_down",
        severity: Refusal,
        sentence: "The face is upside down in this photo. Please turn it.",
        measure: |q| q.upside_down,
        limit: AtMost(0.1),
        reason: "an upright portrait on its head is a face to the networks too, but by 0.1 and more \
                 less sure; turned by half, none of the portraits at hand is surer",
    },
    Rule {
        code: "head_tilted",
        severity: Refusal,
        sentence: "The head is tilted too far in this photo.",
        measure: |q| q.roll.abs(),
        limit: AtMost(30.0),
        reason: "levelling turns by 15 degrees at most; what remains must look natural",
    },
    Rule {
        code: "head_cut",
        severity: Warning,
        sentence: "The top of the head is cut off in this photo.",
        // A page or a frame within the photo cuts a head like the photo's own edge.
        measure: |q| {
            if q.level_crown > LEVEL_CROWN_MAX {
                0.0
            } else {
                q.headroom
            }
        },
        limit: AtLeast(0.01),
        reason: "hair that touches the frame's top continues above it; the crop then starts there",
    },
    Rule {
        code: "harsh_side_light",
        severity: Warning,
        sentence: "One side of the face is much darker than the other in this photo.",
        measure: |q| q.side_light,
        limit: AtMost(1.8),
        reason: "a key light gives up to 1.5; beyond 1.8 the fill light shows noise",
    },
    Rule {
        code: "harsh_back_light",
        severity: Warning,
        sentence: "The light comes from behind in this photo. Please face the light.",
        measure: |q| q.back_light + q.rim_light,
        limit: AtMost(0.35),
        reason: "a window behind the head burns out at least a third of its surroundings, or less of \
                 them and the sides of the face",
    },
    Rule {
        code: "oversharpened",
        severity: Warning,
        sentence: "This photo has been sharpened a lot, or is drawn. A photo without effects gives a \
                   better result.",
        measure: |q| {
            if q.detail == UNMEASURED {
                0.0
            } else {
                q.detail
            }
        },
        limit: AtMost(1200.0),
        reason: "portraits measure up to 640, the contour lines of pencil and cartoon filters 1,500 and \
                 more",
    },
    Rule {
        code: "smoothed",
        severity: Warning,
        sentence: "The skin in this photo was smoothed, or the file was compressed a lot. The original \
                   gives a better result.",
        // Paint is refused anyway.
        measure: |q| {
            if q.texture <= PAINTED_MAX {
                UNMEASURED
            } else {
                q.texture
            }
        },
        limit: AtLeast(0.12),
        reason: "as for `painted`: retouched magazine portraits measure 0.1, what a strong noise filter \
                 leaves 0.06 to 0.09",
    },
    Rule {
        code: "document",
        severity: Refusal,
        sentence: "This is a picture of a document or of another picture. Please upload a photo of you.",
        measure: |q| q.page,
        limit: AtMost(1.0),
        reason: "of print, a head that ends level, an even ground that begins along a line below the face, and one \
                 that does so on all sides, the portraits at hand have none or one, pages two and more",
    },
    Rule {
        code: "print",
        severity: Warning,
        sentence: "There is print beside the face in this photo. A photo of you gives a better \
                   result than a picture of a document.",
        measure: |q| q.print,
        limit: AtMost(PRINT_MAX),
        reason: "a page of a passport has two machine-readable lines at least; the portraits at \
                 hand have no line, though flags, blinds and books are among their backgrounds",
    },
    Rule {
        code: "hair_blends_in",
        severity: Warning,
        sentence: "The hair cannot be told from the background in this photo.",
        measure: |q| q.hair_contrast,
        limit: AtLeast(14.0),
        reason: "below Lab difference 14 over a third of the head's outline the edge is a guess: black hair on \
                 black measures 3 to 7, dark hair on black 10 to 13, other portraits 17 and more",
    },
];

/// One thing found about a photo.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Stable machine code.
    pub code: String,
    /// What it means.
    pub severity: Severity,
    /// Sentence for the person who uploaded the photo.
    pub sentence: String,
    /// What was measured.
    pub measured: f32,
    /// What was asked for.
    pub threshold: f32,
}

/// The judgement over one photo.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Whether a headshot may be made from it.
    pub usable: bool,
    /// Everything found, refusals first; empty for a flawless selfie.
    pub findings: Vec<Finding>,
    /// 0..=1, for choosing the best of several; 0 when not usable.
    pub score: f32,
    /// The measurements, when there was a face to measure.
    pub quality: Option<Quality>,
}

impl Verdict {
    /// Judges measurements by [`RULES`].
    pub fn of(quality: Quality) -> Self {
        let mut findings: Vec<Finding> = RULES
            .iter()
            .filter_map(|rule| {
                let measured = (rule.measure)(&quality);
                // NaN holds nothing: an unmeasurable photo is refused, not waved through.
                (!rule.limit.holds(measured)).then(|| Finding {
                    code: rule.code.to_owned(),
                    severity: rule.severity,
                    sentence: rule.sentence.to_owned(),
                    measured,
                    threshold: rule.limit.threshold(),
                })
            })
            .collect();
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        let usable = findings.iter().all(|f| f.severity == Warning);
        let score = if usable {
            super::select::score(&quality, findings.len())
        } else {
            0.0
        };
        Self {
            usable,
            findings,
            score,
            quality: Some(quality),
        }
    }

    /// The verdict after the comparison with the other photos of the set; an earlier comparison is
    /// forgotten. A photo without measurements stays refused as it is.
    #[must_use]
    pub fn compared(&self, identity: Identity) -> Self {
        let Some(quality) = &self.quality else {
            return self.clone();
        };
        let (stranger, undecided) = match identity {
            Identity::Same => (0.0, 0.0),
            Identity::Stranger { distance } => (distance, 0.0),
            Identity::Undecided { distance } => (0.0, distance),
        };
        Self::of(Quality {
            stranger,
            undecided,
            ..quality.clone()
        })
    }

    /// The verdict when the detector found nothing.
    pub fn no_face() -> Self {
        Self::refused(NO_FACE, NO_FACE_SENTENCE, 0.0, super::detect::MIN_SCORE)
    }

    /// The verdict over a file that is not a readable photo.
    pub fn unreadable(error: &DecodeError) -> Self {
        let (measured, threshold) = match error {
            DecodeError::TooManyPixels { width, height } => (
                f64::from(*width) * f64::from(*height),
                crate::decode::MAX_PIXELS as f64,
            ),
            DecodeError::TooManyBytes { bytes } => (*bytes as f64, crate::decode::MAX_BYTES as f64),
            _ => (0.0, 0.0),
        };
        Self::refused(
            error.code(),
            &error.to_string(),
            measured as f32,
            threshold as f32,
        )
    }

    fn refused(code: &str, sentence: &str, measured: f32, threshold: f32) -> Self {
        let finding = Finding {
            code: code.to_owned(),
            severity: Refusal,
            sentence: sentence.to_owned(),
            measured,
            threshold,
        };
        Self {
            usable: false,
            findings: vec![finding],
            score: 0.0,
            quality: None,
        }
    }

    /// Whether a finding with this code is present.
    pub fn has(&self, code: &str) -> bool {
        self.findings.iter().any(|f| f.code == code)
    }
}
