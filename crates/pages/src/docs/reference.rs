use super::{PLACEHOLDER, Place, sample};
use crate::{
    Template,
    ui::{Badge, Code, Icon},
};

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub struct ParameterDoc {
    /// Name on the wire.
    pub name: String,
    /// Where it goes: *path*, *query*, *body*.
    pub place: String,
    /// Type in words: *string*, *integer, 1 to 200*.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it does.
    pub description: String,
}

impl ParameterDoc {
    /// *body, mail address, required*.
    fn facts(&self) -> String {
        let required = if self.required { "required" } else { "" };
        let facts = [self.place.as_str(), self.kind.as_str(), required];
        let known: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
        known.join(", ")
    }
}

/// Text with code between backticks: each piece, and whether it is code.
fn pieces(text: &str) -> impl Iterator<Item = (bool, &str)> {
    let pieces = text.split('`').enumerate();
    pieces.map(|(index, piece)| (index % 2 == 1, piece))
}

/// An answer of an operation.
#[derive(Debug, Clone)]
pub struct ResponseDoc {
    /// HTTP status.
    pub status: u16,
    /// When it is given.
    pub description: String,
    /// An example body, indented; empty for none.
    pub example: String,
}

/// One operation of the API.
#[derive(Debug, Clone)]
pub struct OperationDoc {
    /// HTTP method in capitals.
    pub method: String,
    /// Path from `/api/v2` on, parameters in braces.
    pub path: String,
    /// What it does, a verb phrase.
    pub summary: String,
    /// What else is to know, sentences; empty for nothing.
    pub description: String,
    /// Scope that a key needs; empty for none.
    pub scope: String,
    /// Parameters.
    pub parameters: Vec<ParameterDoc>,
    /// Path and query of the sample request, as sent.
    pub sample_path: String,
    /// The sample request's body, indented; empty for none.
    pub request_example: String,
    /// Answers.
    pub responses: Vec<ResponseDoc>,
}

impl OperationDoc {
    /// Anchor on the page, `get-organization-credits`.
    fn anchor(&self) -> String {
        let words = self
            .path
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !matches!(*word, "" | "api" | "v2"));
        std::iter::once(self.method.as_str())
            .chain(words)
            .collect::<Vec<_>>()
            .join("-")
            .to_lowercase()
    }

    fn request(&self, base_url: &str) -> Code {
        let call = sample::Call {
            method: &self.method,
            url: format!("{base_url}{}", self.sample_path),
            key: (!self.scope.is_empty()).then_some(PLACEHOLDER),
            body: &self.request_example,
        };
        Code::new(format!("{}-curl", self.anchor()), "curl", call.curl())
    }

    fn answer(&self, response: &ResponseDoc) -> Option<Code> {
        let example = (!response.example.is_empty()).then_some(&response.example)?;
        let id = format!("{}-{}", self.anchor(), response.status);
        Some(Code::new(id, format!("{} JSON", response.status), example))
    }
}

/// `/api/reference`, filled from the generated `OpenAPI` document.
#[derive(Debug, Clone, Template)]
#[template(path = "docs/reference.html")]
pub struct Reference {
    /// This server's public URL, without a slash at the end.
    pub base_url: String,
    /// All operations, in the order of the contract.
    pub operations: Vec<OperationDoc>,
}

impl Reference {
    const HERE: Place = Place::Reference;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks() {
        let found: Vec<_> = pieces("Is `a` or `b`.").collect();
        let wanted = [
            (false, "Is "),
            (true, "a"),
            (false, " or "),
            (true, "b"),
            (false, "."),
        ];
        assert_eq!(found, wanted);
    }
}
