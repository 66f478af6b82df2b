//! What a person without script does: pages, cookies, forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Answer, Request, Server, get, post};

/// One browser.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub(crate) headers: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            address: server.address,
            cookies: BTreeMap::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(get(path))
    }

    /// Sends a form as it is.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let request = post(path)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"));
        self.send(request)
    }

    /// Opens `page` and sends a form with the token that the page carries.
    pub(crate) fn submit(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let html = self.get(page).text();
        let csrf = hidden(&html, "csrf");
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend(fields);
        self.post(path, &all)
    }

    /// Sends a request with this browser's cookies, and keeps those of the answer.
    pub(crate) fn send(&mut self, mut request: Request) -> Answer {
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("Cookie", pairs.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.try_send(self.address).expect("the server answers");
        for (_, cookie) in answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
        {
            let (name, value) = cookie.split_once('=').expect("a cookie");
            let value = value.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Sets a first password by the link that `org create` printed; signed in afterwards.
    pub(crate) fn set_up(&mut self, setup_url: &str, password: &str) -> Answer {
        let path = path_of(setup_url);
        let token = path.split_once("token=").expect("a token").1.to_owned();
        let fields = [
            ("token", token.as_str()),
            ("name", "Olivia"),
            ("password", password),
        ];
        self.submit(&path, "/auth/setup", &fields)
    }

    pub(crate) fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        let fields = [("email", email), ("password", password), ("next", "")];
        self.submit("/auth/login", "/auth/login", &fields)
    }
}

/// Path and query of an address.
pub(crate) fn path_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").expect("an address");
    rest[rest.find('/').expect("a path")..].to_owned()
}

/// The value of a hidden field.
pub(crate) fn hidden(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    between(html, &start, "\"").unwrap_or_else(|| panic!("no field {name}: {html}"))
}

/// The unescaped text between two marks.
pub(crate) fn between(html: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = html.split_once(start)?;
    let (text, _) = rest.split_once(end)?;
    Some(unescape(text))
}

fn unescape(text: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
    ];
    let coded = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    let all = named.iter().chain(&coded);
    all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
