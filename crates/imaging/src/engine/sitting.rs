//! One selfie, many pictures: what they share is made once.

use super::{Assets, Engine, EngineError, Selfie};
use crate::analysis::landmarks::{CHIN, FOREHEAD, Landmarks};
use crate::composite::{Edge, composite};
use crate::encode::encode;
use crate::frame::{self, Crop, Frame, Size};
use crate::light::{self, Prepared, SourceQuality, Style};
use crate::matte::{self, Matte, foreground, noise, spill};
use crate::raster::{Kernel, Rect, Rgb, Rgb8, resize_rgb8};
use crate::recipe::{ENGINE, Look, Recipe, SourceType};
use crate::restore;
use crate::weights::RESTORE;
use std::sync::Arc;

/// A person cut out at one crop and size, with everything the styles share.
#[derive(Debug, Clone)]
pub struct Cutout {
    /// Which part of the photo it is.
    pub frame: Frame,
    /// The framed photo, as it was or restored.
    pub photo: Rgb,
    /// How many times larger than the upload the photo was drawn by the network: 1, 2 or 4.
    pub restored: u32,
    /// The matte.
    pub matte: Matte,
    /// The person's own colours.
    pub foreground: Rgb,
    /// Landmarks in pixels of the picture.
    pub landmarks: Landmarks,
    /// Balanced and laid out for the styles.
    pub prepared: Prepared,
    edge: Edge,
}

/// Finished pixels.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The pixels.
    pub pixels: Rgb8,
    /// How to make them again.
    pub recipe: Recipe,
    /// Whether the photo was too narrow for the wished framing.
    pub tightened: bool,
    /// Whether the photo had too few pixels for the wished size.
    pub reduced: bool,
}

/// A finished file.
#[derive(Debug, Clone)]
pub struct Photo {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// How to make it again; also inside the file.
    pub recipe: Recipe,
    /// Whether the photo was too narrow for the wished framing.
    pub tightened: bool,
    /// Whether the photo had too few pixels for the wished size.
    pub reduced: bool,
}

impl Picture {
    /// Encodes as the recipe's look says.
    ///
    /// # Errors
    ///
    /// When the encoder fails, which means a bug.
    pub fn encode(&self) -> Result<Photo, EngineError> {
        let look = &self.recipe.look;
        let xmp = self.recipe.xmp().map_err(|e| EngineError::Recipe {
            difference: e.to_string(),
        })?;
        let bytes =
            encode(&self.pixels, look.format, look.quality, &xmp).map_err(EngineError::Encode)?;
        Ok(Photo {
            bytes,
            width: self.pixels.width(),
            height: self.pixels.height(),
            recipe: self.recipe.clone(),
            tightened: self.tightened,
            reduced: self.reduced,
        })
    }

    /// The same picture smaller, for lists; the recipe says so. Larger than the picture is not
    /// possible, and a thumbnail is not shrunk again: no recipe could tell.
    #[must_use]
    pub fn thumbnail(&self, width: usize) -> Self {
        let (w, h) = (self.pixels.width(), self.pixels.height());
        let width = width.max(1);
        if width >= w || self.recipe.thumbnail.is_some() {
            return self.clone();
        }
        let height = (h * width / w).max(1);
        let whole = Rect {
            x: 0.0,
            y: 0.0,
            w: w as f32,
            h: h as f32,
        };
        let recipe = Recipe {
            thumbnail: Some(width as u32),
            ..self.recipe.clone()
        };
        Self {
            pixels: resize_rgb8(&self.pixels, whole, width, height, Kernel::Sharp),
            recipe,
            ..*self
        }
    }
}

/// Pictures of one selfie. Keeps the last cut-out and the last graded style, so that further
/// pictures cost little when looks are ordered by crop and size, then by style.
///
/// Variants of one photo (a full size, a usual one, a list's) cost one cut-out when only the largest
/// is asked for as a [`Picture`] and the others are [`Picture::thumbnail`]s of it. Asking for each
/// size by its own [`Look`] solves the matte each time.
#[derive(Debug)]
pub struct Sitting<'a> {
    engine: &'a Engine,
    selfie: &'a Selfie,
    cutout: Option<((Crop, Size), Arc<Cutout>)>,
    graded: Option<((Crop, Size, Style), Arc<Rgb>)>,
}

impl<'a> Sitting<'a> {
    pub(super) fn new(engine: &'a Engine, selfie: &'a Selfie) -> Self {
        Self {
            engine,
            selfie,
            cutout: None,
            graded: None,
        }
    }

    /// The cut-out for a crop and size.
    ///
    /// # Errors
    ///
    /// When the size is out of range.
    pub fn cutout(&mut self, crop: Crop, size: Size) -> Result<Arc<Cutout>, EngineError> {
        check(size)?;
        if let Some((key, cutout)) = &self.cutout
            && *key == (crop, size)
        {
            return Ok(Arc::clone(cutout));
        }
        let selfie = self.selfie;
        let engine = self.engine;
        let cutout = Arc::new(engine.pool.run(|| cut(engine, selfie, crop, size)));
        self.graded = None;
        self.cutout = Some(((crop, size), Arc::clone(&cutout)));
        Ok(cutout)
    }

    /// Makes a picture.
    ///
    /// # Errors
    ///
    /// When the size is out of range or an asset is missing.
    pub fn picture(&mut self, look: &Look, assets: &Assets) -> Result<Picture, EngineError> {
        let cutout = self.cutout(look.crop, look.size)?;
        let person = self.graded(&cutout, look);
        let size = cutout.frame.size;
        let key = (
            look.backdrop.clone(),
            look.logo.clone(),
            size.width,
            size.height,
            look.seed,
        );
        let pixels = self.engine.pool.run(|| -> Result<Rgb8, EngineError> {
            let mut scene = self.engine.scene(key, assets)?;
            if look.style == Style::Mono {
                scene = Arc::new(scene.desaturated());
            }
            Ok(composite(
                &person,
                &cutout.matte.alpha,
                &cutout.edge,
                &scene,
                look.seed,
            ))
        })?;
        Ok(Picture {
            pixels,
            recipe: self.recipe(look, cutout.restored),
            tightened: cutout.frame.tightened,
            reduced: cutout.frame.reduced,
        })
    }

    /// Makes a picture and encodes it.
    ///
    /// # Errors
    ///
    /// When the size is out of range or an asset is missing.
    pub fn photo(&mut self, look: &Look, assets: &Assets) -> Result<Photo, EngineError> {
        self.picture(look, assets)?.encode()
    }

    /// Makes the photo of a recipe again, or its thumbnail, byte for byte.
    ///
    /// # Errors
    ///
    /// [`EngineError::Recipe`] when the recipe is of another engine, other weights or another
    /// selfie.
    pub fn remake(&mut self, recipe: &Recipe, assets: &Assets) -> Result<Photo, EngineError> {
        let Look { crop, size, .. } = recipe.look;
        check(size)?;
        let own = self.recipe(&recipe.look, plan(self.selfie, crop, size).1);
        let difference = if recipe.engine != own.engine {
            format!("made by {}, this is {}", recipe.engine, own.engine)
        } else if recipe.weights != own.weights {
            "made with other weights".to_owned()
        } else if recipe.input != own.input {
            "made from another selfie".to_owned()
        } else if recipe.perspective != own.perspective {
            "made with another correction of the perspective".to_owned()
        } else if recipe.restored != own.restored {
            "made from a photo enlarged by another factor".to_owned()
        } else {
            let picture = self.picture(&recipe.look, assets)?;
            return match recipe.thumbnail {
                Some(width) => picture.thumbnail(width as usize).encode(),
                None => picture.encode(),
            };
        };
        Err(EngineError::Recipe { difference })
    }

    fn recipe(&self, look: &Look, restored: u32) -> Recipe {
        let mut weights = self.engine.weights();
        let restored = Some(restored).filter(|times| *times > 1);
        if restored.is_some() {
            weights.insert(RESTORE.name.to_owned(), RESTORE.sha256.to_owned());
        }
        Recipe {
            engine: ENGINE.to_owned(),
            weights,
            input: self.selfie.digest.clone(),
            perspective: self.selfie.perspective,
            restored,
            look: look.clone(),
            thumbnail: None,
            source: SourceType::default(),
        }
    }

    fn graded(&mut self, cutout: &Cutout, look: &Look) -> Arc<Rgb> {
        let wanted = (look.crop, look.size, look.style);
        if let Some((key, graded)) = &self.graded
            && *key == wanted
        {
            return Arc::clone(graded);
        }
        let graded = self
            .engine
            .pool
            .run(|| light::grade(&cutout.prepared, &cutout.matte.alpha, look.style));
        let graded = Arc::new(graded);
        self.graded = Some((wanted, Arc::clone(&graded)));
        graded
    }
}

fn check(size: Size) -> Result<(), EngineError> {
    let Size { width, height } = size;
    if size.is_valid() {
        Ok(())
    } else {
        Err(EngineError::Size { width, height })
    }
}

/// Which part of the photo is shown, and how many times larger the photo is drawn for it.
fn plan(selfie: &Selfie, crop: Crop, size: Size) -> (Frame, u32) {
    let frame = frame::choose(&selfie.subject(), crop, size);
    let times = if selfie.restores {
        restore::times(&frame, selfie.scale())
    } else {
        1
    };
    (frame.within(selfie.scale() * times as f32), times)
}

fn cut(engine: &Engine, selfie: &Selfie, crop: Crop, size: Size) -> Cutout {
    let (frame, restored) = plan(selfie, crop, size);
    let scale = selfie.scale() * restored as f32;
    let photo = if restored == 1 {
        frame.extract(&selfie.pixels, scale)
    } else {
        let part = engine.restored(selfie, &frame, restored);
        let (x, y) = part.origin;
        let frame = frame.without(x as f32 / scale, y as f32 / scale);
        frame.extract(&part.pixels, scale)
    };
    let landmarks = selfie
        .landmarks
        .mapped(|x, y| frame.to_picture(x, y), 1.0 / frame.step);
    let matte = matte::solve(
        &photo,
        &frame,
        &landmarks,
        &selfie.coarse,
        selfie.detail.as_ref(),
    );
    let sigma = noise::estimate(&photo);
    let clean = if sigma > noise::VISIBLE {
        noise::reduce(&photo, sigma)
    } else {
        photo.clone()
    };
    let mut foreground = foreground::estimate(&clean, &matte.alpha);
    let face = (landmarks.point(CHIN).1 - landmarks.point(FOREHEAD).1).max(1.0);
    spill::suppress(&mut foreground, &matte.alpha, &clean, face);
    foreground::despill(&mut foreground, &matte.alpha, face, 0.8);
    let source = SourceQuality {
        noise: sigma,
        // The restoring network sharpens too.
        enlargement: frame.enlargement(selfie.scale()),
    };
    let prepared = light::prepare(&foreground, &matte.alpha, &landmarks, source);
    let edge = Edge::new(&matte.alpha);
    Cutout {
        frame,
        photo,
        restored,
        matte,
        foreground,
        landmarks,
        prepared,
        edge,
    }
}
