//! The recipe of a photo: everything that decides its bytes, to store, to read and to repeat.

use crate::backdrop::Backdrop;
use crate::encode::OutputFormat;
use crate::frame::{Crop, Size};
use crate::light::Style;
use crate::perspective::Perspective;
use std::collections::BTreeMap;

/// Name and version of this pipeline. The number after the plus counts changes of the output's
/// bytes; it must be raised whenever a golden test changes.
pub const ENGINE: &str = concat!("headshot-studio ", env!("CARGO_PKG_VERSION"), "+3");

/// The IPTC digital source type that is true for every picture made here: a real photo of the
/// person (captured) before a backdrop that was rendered or supplied. Nothing in it was generated
/// by a trained model; networks only find edges.
pub const DIGITAL_SOURCE_TYPE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/composite";

const NAMESPACE: &str = "urn:headshot:recipe:1";
const OPEN_TAG: &str = "<headshot:Recipe>";
const CLOSE_TAG: &str = "</headshot:Recipe>";

/// What a picture should look like.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Look {
    /// How much of the person is shown.
    pub crop: Crop,
    /// Wished size. A photo with too few pixels gives a smaller picture of the same shape.
    pub size: Size,
    /// Light and colours.
    pub style: Style,
    /// What stands behind.
    pub backdrop: Backdrop,
    /// SHA-256 of a logo file (PNG) among the assets, for the backdrop's corner.
    pub logo: Option<String>,
    /// Varies the rendered backdrops and the grain.
    pub seed: u64,
    /// File format.
    pub format: OutputFormat,
    /// JPEG quality, 50..=100; ignored by the lossless formats.
    pub quality: u8,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            crop: Crop::Headshot,
            size: Crop::Headshot.default_size(),
            style: Style::Studio,
            backdrop: Backdrop::Grey,
            logo: None,
            seed: 7,
            format: OutputFormat::Jpeg,
            quality: 92,
        }
    }
}

/// Everything that decides a photo's bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// [`ENGINE`] of the program that made it.
    pub engine: String,
    /// SHA-256 of each network's weights, by name.
    pub weights: BTreeMap<String, String>,
    /// SHA-256 of the uploaded file.
    pub input: String,
    /// The correction of a face seen from arm's length, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perspective: Option<Perspective>,
    /// The look.
    pub look: Look,
}

impl Recipe {
    /// The XMP packet to embed.
    ///
    /// # Errors
    ///
    /// Never for recipes made by this crate; serialization is fallible in general.
    pub fn xmp(&self) -> Result<String, serde_json::Error> {
        let json = escaped(&serde_json::to_string(self)?);
        let engine = escaped(&self.engine);
        let begin = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>";
        Ok(format!(
            "{begin}<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
             <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
             <rdf:Description rdf:about=\"\" \
             xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" \
             xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
             xmlns:headshot=\"{NAMESPACE}\">\
             <Iptc4xmpExt:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>\
             <xmp:CreatorTool>{engine}</xmp:CreatorTool>\
             {OPEN_TAG}{json}{CLOSE_TAG}\
             </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
        ))
    }

    /// Reads the recipe back out of a photo's file, whatever its format: none of them compresses
    /// the packet. `None` when there is no recipe of this kind.
    pub fn from_photo(bytes: &[u8]) -> Option<Self> {
        let from = find(bytes, OPEN_TAG.as_bytes())? + OPEN_TAG.len();
        let length = find(&bytes[from..], CLOSE_TAG.as_bytes())?;
        let text = std::str::from_utf8(&bytes[from..from + length]).ok()?;
        serde_json::from_str(&unescaped(text)).ok()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            engine: ENGINE.to_owned(),
            weights: BTreeMap::from([("u2netp".to_owned(), "30".to_owned())]),
            input: "ab".to_owned(),
            perspective: Some(Perspective {
                from_mm: 350,
                to_mm: 1200,
            }),
            look: Look {
                backdrop: Backdrop::Color([1, 2, 3]),
                ..Look::default()
            },
        }
    }

    #[test]
    fn a_recipe_survives_its_packet() {
        let packet = recipe().xmp().unwrap();
        assert!(packet.contains(DIGITAL_SOURCE_TYPE));
        let file = [b"noise".as_slice(), packet.as_bytes(), b"more"].concat();
        assert_eq!(Recipe::from_photo(&file), Some(recipe()));
    }

    #[test]
    fn other_files_hold_no_recipe() {
        assert_eq!(Recipe::from_photo(b""), None);
        assert_eq!(
            Recipe::from_photo(b"<headshot:Recipe>{}</headshot:Recipe>"),
            None
        );
        assert_eq!(Recipe::from_photo(b"<headshot:Recipe>"), None);
    }

    #[test]
    fn special_characters_are_escaped_and_restored() {
        let text = "a < b & c > d &lt;";
        assert_eq!(unescaped(&escaped(text)), text);
    }
}
