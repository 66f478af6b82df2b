//! Stylesheet, scripts and pictures, embedded in the binary and named by their content.

use std::sync::LazyLock;

/// Path under which every asset is served.
pub const ASSET_PREFIX: &str = "/assets/";

/// A file to serve; its path changes with its content, so it may be cached for ever.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The file.
    pub bytes: &'static [u8],
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Value of `ETag`, with quotes.
    pub etag: &'static str,
}

struct Entry {
    name: &'static str,
    url: String,
    etag: String,
    bytes: &'static [u8],
    content_type: &'static str,
}

const CSS: &str = concat!(
    include_str!("../assets/css/layers.css"),
    include_str!("../assets/css/tokens.css"),
    include_str!("../assets/css/elements.css"),
    include_str!("../assets/css/components.css"),
    include_str!("../assets/css/forms.css"),
    include_str!("../assets/css/shell.css"),
    include_str!("../assets/css/pages.css"),
    include_str!("../assets/css/people.css"),
    include_str!("../assets/css/docs.css"),
);

/// The stylesheet as served: without indentation and line breaks, which are a third of it.
static SERVED_CSS: LazyLock<String> = LazyLock::new(|| {
    CSS.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
        .fold(String::with_capacity(CSS.len()), |mut served, line| {
            match line.split_once(": ") {
                // A declaration on one line.
                Some((name, value)) if line.ends_with(';') => {
                    served.push_str(name);
                    served.push(':');
                    served.push_str(value);
                }
                _ => served.push_str(line),
            }
            // Only where the next line can't be taken for a part of this one.
            if !line.ends_with([';', '{', '}', ',']) {
                served.push('\n');
            }
            served
        })
});

const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

fn files() -> [(&'static str, &'static [u8], &'static str); 9] {
    [
        ("app.css", SERVED_CSS.as_bytes(), "text/css; charset=utf-8"),
        ("copy.js", include_bytes!("../assets/js/copy.js"), JS),
        ("confirm.js", include_bytes!("../assets/js/confirm.js"), JS),
        ("secret.js", include_bytes!("../assets/js/secret.js"), JS),
        ("shoot.js", include_bytes!("../assets/js/shoot.js"), JS),
        ("times.js", include_bytes!("../assets/js/times.js"), JS),
        ("icons.svg", include_bytes!("../assets/img/icons.svg"), SVG),
        ("logo.svg", include_bytes!("../assets/img/logo.svg"), SVG),
        (
            "favicon.svg",
            include_bytes!("../assets/img/favicon.svg"),
            SVG,
        ),
    ]
}

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    files()
        .into_iter()
        .map(|(name, bytes, content_type)| {
            let hash = fnv1a(bytes);
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
            Entry {
                name,
                url: format!("{ASSET_PREFIX}{stem}-{hash:016x}.{extension}"),
                etag: format!("\"{hash:016x}\""),
                bytes,
                content_type,
            }
        })
        .collect()
});

/// Names content, protects nothing: a short non-cryptographic hash is enough.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The file behind a path as made by [`asset_url`], with or without [`ASSET_PREFIX`].
///
/// Serve it with `Cache-Control: public, max-age=31536000, immutable`.
pub fn asset(path: &str) -> Option<Asset> {
    let file = path.strip_prefix(ASSET_PREFIX).unwrap_or(path);
    let entry = ENTRIES
        .iter()
        .find(|entry| entry.url.strip_prefix(ASSET_PREFIX) == Some(file))?;
    Some(Asset {
        bytes: entry.bytes,
        content_type: entry.content_type,
        etag: &entry.etag,
    })
}

/// The path of an asset by its plain name, `app.css`; an unknown name gives a path that is 404.
pub fn asset_url(name: &str) -> &'static str {
    ENTRIES
        .iter()
        .find(|entry| entry.name == name)
        .map_or("/assets/missing", |entry| &entry.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(extension: &str) -> usize {
        files()
            .iter()
            .filter(|(name, ..)| name.ends_with(extension))
            .map(|f| f.1.len())
            .sum()
    }

    #[test]
    fn the_stylesheet_stays_under_30_kib() {
        assert!(total(".css") < 30 * 1024, "{}", total(".css"));
    }

    #[test]
    fn all_scripts_stay_under_20_kib() {
        assert!(total(".js") < 20 * 1024, "{}", total(".js"));
    }

    #[test]
    fn every_asset_is_found_under_its_url_and_no_other() {
        for (name, bytes, content_type) in files() {
            let found = asset(asset_url(name)).unwrap();
            assert_eq!((found.bytes, found.content_type), (bytes, content_type));
        }
        for path in [
            "",
            "app.css",
            "/assets/app.css",
            "/assets/missing",
            "../Cargo.toml",
        ] {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn assets_name_no_other_host() {
        for (name, bytes, _) in files() {
            let text = String::from_utf8_lossy(bytes).replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("://") && !text.contains("@import"), "{name}");
            assert!(!text.contains("data:"), "{name}");
        }
    }
}
