//! Calls to paste: they run as they are in bash, Node 18 or later, and Python with requests.

pub(crate) fn curl(base_url: &str, path: &str, key: &str) -> String {
    let call = Call {
        method: "GET",
        url: format!("{base_url}/api/v2{path}"),
        key: Some(key),
        body: "",
    };
    call.curl()
}

/// Any call.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// Encoded, so that it holds nothing that a shell reads within double quotes.
    pub(crate) url: String,
    /// None where the operation needs none.
    pub(crate) key: Option<&'a str>,
    /// JSON; empty for none.
    pub(crate) body: &'a str,
}

impl Call<'_> {
    pub(crate) fn curl(&self) -> String {
        let method = match self.method {
            "GET" => String::new(),
            other => format!("-X {other} "),
        };
        let mut parts = vec![format!("curl {method}\"{}\"", self.url)];
        let authorization = |key| format!("-H \"Authorization: Bearer {key}\"");
        parts.extend(self.key.map(authorization));
        parts.push("-H \"Content-Type: application/json\"".to_owned());
        if !self.body.is_empty() {
            parts.push(format!("-d '{}'", self.body.replace('\'', r"'\''")));
        }
        parts.join(" \\\n  ")
    }
}

pub(crate) fn node(base_url: &str, path: &str, key: &str) -> String {
    format!(
        "fetch(\"{base_url}/api/v2{path}\", {{\n  \
           headers: {{\n    \
             Authorization: \"Bearer {key}\",\n    \
             \"Content-Type\": \"application/json\",\n  \
           }},\n\
         }})\n  \
           .then((response) => response.json())\n  \
           .then(console.log);"
    )
}

pub(crate) fn python(base_url: &str, path: &str, key: &str) -> String {
    format!(
        "import requests\n\n\
         response = requests.get(\n    \
             \"{base_url}/api/v2{path}\",\n    \
             headers={{\n        \
                 \"Authorization\": \"Bearer {key}\",\n        \
                 \"Content-Type\": \"application/json\",\n    \
             }},\n    \
             timeout=10,\n\
         )\n\
         print(response.status_code, response.json())"
    )
}

pub(crate) fn http(host: &str, path: &str, key: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\nHost: {host}\nAuthorization: Bearer {key}\n\
         Content-Type: application/json"
    )
}

pub(crate) fn revoke(base_url: &str, key: &str) -> String {
    format!(
        "curl -X POST \"{base_url}/api/keys/revoke\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  \
         -d '{{\"key\":\"{key}\"}}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_quoted_for_the_shell() {
        let call = Call {
            method: "POST",
            url: "http://127.0.0.1:8080/api/keys/revoke".to_owned(),
            key: None,
            body: r#"{"name":"O'Neil"}"#,
        };
        assert_eq!(
            call.curl(),
            r#"curl -X POST "http://127.0.0.1:8080/api/keys/revoke" \
  -H "Content-Type: application/json" \
  -d '{"name":"O'\''Neil"}'"#
        );
    }

    #[test]
    fn samples_are_indented_as_people_write_them() {
        let base = "http://127.0.0.1:8080";
        assert_eq!(
            curl(base, "/organization", "K"),
            r#"curl "http://127.0.0.1:8080/api/v2/organization" \
  -H "Authorization: Bearer K" \
  -H "Content-Type: application/json""#
        );
        assert_eq!(
            node(base, "/organization", "K"),
            r#"fetch("http://127.0.0.1:8080/api/v2/organization", {
  headers: {
    Authorization: "Bearer K",
    "Content-Type": "application/json",
  },
})
  .then((response) => response.json())
  .then(console.log);"#
        );
        assert_eq!(
            python(base, "/organization", "K"),
            r#"import requests

response = requests.get(
    "http://127.0.0.1:8080/api/v2/organization",
    headers={
        "Authorization": "Bearer K",
        "Content-Type": "application/json",
    },
    timeout=10,
)
print(response.status_code, response.json())"#
        );
    }
}
