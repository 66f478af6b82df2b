//! What another program needs to make pictures of a person: the framed photo, who and where the
//! person is in it, and nothing else of the upload.

use crate::analysis::landmarks::{Landmarks, NOSE_TIP};
use crate::encode::{OutputFormat, encode, encode_mask};
use crate::engine::{Engine, EngineError, Selfie};
use crate::frame::{Crop, Size};
use crate::light::masks::Masks;

/// The largest picture that is handed over; a photo with fewer pixels gives a smaller one of the
/// same shape. It bounds what four selfies weigh.
pub const SIZE: Size = Size {
    width: 1280,
    height: 1600,
};

/// JPEG quality of the picture.
const QUALITY: u8 = 92;

/// Corners of the mouth in the mesh, on the picture's left and right.
const MOUTH_CORNERS: [usize; 2] = [61, 291];

/// A selfie as another program gets it. All of it has the same width and height; positions are in
/// pixels of the picture, from its top left corner.
#[derive(Debug, Clone)]
pub struct Materials {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The person down to the chest, upright and level, in sRGB: a JPEG without metadata.
    pub picture: Vec<u8>,
    /// How much of each pixel is the person: a grey PNG.
    pub matte: Vec<u8>,
    /// How much of each pixel is skin, without brows, eyes, lips and nostrils: a grey PNG.
    pub skin: Vec<u8>,
    /// Both eyes, the tip of the nose and both corners of the mouth; left is the picture's left.
    pub five: [[f32; 2]; 5],
    /// The 468 points of the face mesh, in its usual order.
    pub mesh: Vec<[f32; 2]>,
}

impl Engine {
    /// What another program needs to make pictures of this person. Costs about as much as a photo.
    ///
    /// # Errors
    ///
    /// Only when an encoder fails, which means a bug.
    pub fn materials(&self, selfie: &Selfie) -> Result<Materials, EngineError> {
        let cutout = self.sitting(selfie).cutout(Crop::Half, SIZE)?;
        self.run(|| {
            let masks = Masks::new(&cutout.photo, &cutout.matte.alpha, &cutout.landmarks);
            let skin = masks.combined.map(|[skin, _eyes]| skin);
            let picture = encode(&cutout.photo.to_u8(), OutputFormat::Jpeg, QUALITY, "");
            Ok(Materials {
                width: cutout.photo.width(),
                height: cutout.photo.height(),
                picture: picture.map_err(EngineError::Encode)?,
                matte: encode_mask(&cutout.matte.alpha).map_err(EngineError::Encode)?,
                skin: encode_mask(&skin).map_err(EngineError::Encode)?,
                five: five(&cutout.landmarks),
                mesh: cutout.landmarks.mesh.iter().map(|p| [p[0], p[1]]).collect(),
            })
        })
    }
}

fn five(landmarks: &Landmarks) -> [[f32; 2]; 5] {
    let (left, right, _) = landmarks.eyes();
    let [mouth_left, mouth_right] = MOUTH_CORNERS.map(|index| landmarks.point(index));
    let nose = landmarks.point(NOSE_TIP);
    [left, right, nose, mouth_left, mouth_right].map(|(x, y)| [x, y])
}
