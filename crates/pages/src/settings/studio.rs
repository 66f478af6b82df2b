use crate::{
    Shell, Template,
    ui::{Button, Empty, Field, Icon},
};

/// A look that can be ticked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookOption {
    /// What the form sends.
    pub name: String,
    /// Whether it is ticked.
    pub chosen: bool,
    label: String,
    hint: &'static str,
    /// Colours of the wall in the light and at the edge.
    swatch: Option<(&'static str, &'static str)>,
}

impl LookOption {
    fn new(name: &str, chosen: bool, (label, hint): (&str, &'static str)) -> Self {
        Self {
            name: name.to_owned(),
            chosen,
            label: label.to_owned(),
            hint,
            swatch: None,
        }
    }

    /// A rendered backdrop; one that this page does not know is shown by its name.
    pub fn backdrop(name: &str, chosen: bool) -> Self {
        let (words, swatch) = match name {
            "grey" => (("Grey", "Light grey studio wall"), ("#c9cdd1", "#6c7177")),
            "navy" => (("Navy", "Deep blue studio wall"), ("#4f6d96", "#121d31")),
            "charcoal" => (
                ("Charcoal", "Dark grey studio wall"),
                ("#5a5d61", "#17181a"),
            ),
            "white" => (("White", "White studio wall"), ("#f7f8f9", "#dcdfe2")),
            "beige" => (("Beige", "Warm sand-coloured wall"), ("#ddd0bf", "#9c8a76")),
            "teal" => (("Teal", "Dark green-blue wall"), ("#5f8b8a", "#1d3436")),
            "office" => (
                ("Office", "Bookcase and window, blurred"),
                ("#d8d3c8", "#6b5a49"),
            ),
            "outdoor" => (
                ("Outdoor", "Leaves in the sun, blurred"),
                ("#c4d69a", "#4d6b3a"),
            ),
            other => return Self::new(other, chosen, (other, "")),
        };
        Self {
            swatch: Some(swatch),
            ..Self::new(name, chosen, words)
        }
    }

    /// A style of light and colours.
    pub fn style(name: &str, chosen: bool) -> Self {
        let words = match name {
            "studio" => ("Studio", "Even light, natural colours"),
            "soft" => ("Soft", "Less contrast"),
            "crisp" => ("Crisp", "More contrast and sharpness"),
            "warm" => ("Warm", "A little warmer"),
            "mono" => ("Mono", "Black and white"),
            other => (other, ""),
        };
        Self::new(name, chosen, words)
    }

    /// How much of the person is shown.
    pub fn crop(name: &str, chosen: bool) -> Self {
        let words = match name {
            "headshot" => ("Headshot", "Head and shoulders, 4:5"),
            "close" => ("Close", "The head fills most of it, 4:5"),
            "half" => ("Half", "Down to the chest, 4:5"),
            "square" => ("Square", "Head and shoulders, 1:1"),
            other => (other, ""),
        };
        Self::new(name, chosen, words)
    }
}

/// A backdrop image of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandImage {
    /// SHA-256 of its file, in hex; its address ends with it.
    pub digest: String,
    /// What the uploaded file was called.
    pub name: String,
    /// Whether it is ticked.
    pub chosen: bool,
}

impl BrandImage {
    fn url(&self) -> String {
        asset_url(&self.digest)
    }
}

/// The organization's logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandLogo {
    /// SHA-256 of its file, in hex; its address ends with it.
    pub digest: String,
    /// What the uploaded file was called.
    pub name: String,
    /// Whether it is drawn.
    pub drawn: bool,
}

impl BrandLogo {
    fn url(&self) -> String {
        asset_url(&self.digest)
    }
}

fn asset_url(digest: &str) -> String {
    format!("/app/admin/settings/studio/assets/{digest}")
}

/// What may be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// Images that there can be.
    pub images: usize,
    /// Megabytes of an image's file.
    pub image_megabytes: usize,
    /// Smallest width and height of an image, in pixels.
    pub image_least: (usize, usize),
    /// Megabytes of a logo's file.
    pub logo_megabytes: usize,
}

/// `/app/admin/settings/studio`.
///
/// Posts `csrf`, any number of `backdrop`, `style` and `crop`, `colours`, and `logo` (with
/// `has_logo` where it could be ticked) to `/app/admin/settings/studio/looks`; `csrf` and `file` as
/// multipart to `/app/admin/settings/studio/images/uploads` and `.../logo/uploads`; `csrf` to
/// `/app/admin/settings/studio/assets/{digest}/delete`.
#[derive(Debug, Clone, Template)]
#[template(path = "settings_studio.html")]
pub struct StudioSettings {
    /// The frame.
    pub shell: Shell,
    /// Rendered backdrops.
    pub backdrops: Vec<LookOption>,
    /// Styles.
    pub styles: Vec<LookOption>,
    /// Crops.
    pub crops: Vec<LookOption>,
    /// Brand colours, one a line, as typed or as they are in force.
    pub colours: String,
    /// What is wrong with them.
    pub colours_error: Option<String>,
    /// The organization's images.
    pub images: Vec<BrandImage>,
    /// What is wrong with the image that was sent.
    pub image_error: Option<String>,
    /// The organization's logo.
    pub logo: Option<BrandLogo>,
    /// What is wrong with the logo that was sent.
    pub logo_error: Option<String>,
    /// What may be uploaded.
    pub limits: UploadLimits,
}

impl StudioSettings {
    fn colours_field(&self) -> Field {
        Field::lines("colours", "Brand colours", 3)
            .value(&self.colours)
            .hint("One a line, as #RRGGBB. Each is one more backdrop.")
            .error(&self.colours_error)
            .focus(self.colours_error.is_some())
    }

    /// The colours that can be shown.
    fn shown_colours(&self) -> Vec<&str> {
        let is_colour = |text: &&str| {
            let hex = text.strip_prefix('#').unwrap_or_default();
            hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        self.colours.split_whitespace().filter(is_colour).collect()
    }

    fn image_hint(&self) -> String {
        let (width, height) = self.limits.image_least;
        format!(
            "JPEG, PNG, WebP or HEIC, at least {width} pixels wide and {height} high, at most {} MB. \
             The middle is shown.",
            self.limits.image_megabytes
        )
    }

    fn logo_label(&self) -> &'static str {
        match self.logo {
            Some(_) => "Replace the logo",
            None => "Add a logo",
        }
    }

    fn logo_hint(&self) -> String {
        format!(
            "PNG, best with a transparent background, at most {} MB and 4 megapixels. It is at most \
             a sixth of the headshot wide and high.",
            self.limits.logo_megabytes
        )
    }

    fn is_full(&self) -> bool {
        self.images.len() >= self.limits.images
    }
}
