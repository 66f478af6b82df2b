//! Requests and answers to show, recorded from the router by `tests/api/samples.rs`, which fails
//! when they are no longer what it says.

/// The record. What differs from server to server is in double braces.
const RECORD: &str = include_str!("samples.http");

/// Stands for the server's own URL.
const BASE_URL: &str = "{{base_url}}";

/// The name under which answers are kept that any operation may give.
const ANY: &str = "any";

/// One request and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    operation: &'static str,
    /// Path and query.
    pub(crate) path: &'static str,
    /// The request's body, indented; empty for none.
    body: &'static str,
    status: u16,
    /// The answer's body, indented.
    answer: &'static str,
}

impl Sample {
    fn parse(block: &'static str) -> Option<Self> {
        let (operation, rest) = block.split_once('\n')?;
        let (request, answer) = rest.split_once("\nHTTP/1.1 ")?;
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let (_method, url) = head.lines().next()?.split_once(' ')?;
        let (_, text) = answer.split_once("\n\n")?;
        Some(Self {
            operation,
            path: url.strip_prefix(BASE_URL)?,
            body: body.trim(),
            status: answer.get(..3)?.parse().ok()?,
            answer: text.trim(),
        })
    }

    /// The request's body as it is sent to the server at `base_url`; empty for none.
    pub(crate) fn body(&self, base_url: &str) -> String {
        self.body.replace(BASE_URL, base_url)
    }

    /// The answer's body as the server at `base_url` gives it.
    pub(crate) fn answer(&self, base_url: &str) -> String {
        self.answer.replace(BASE_URL, base_url)
    }

    /// What stands in the request where `template` has the parameter `name`, as sent.
    pub(crate) fn parameter(&self, template: &str, name: &str) -> Option<&'static str> {
        let path = self.path.split('?').next()?;
        let wanted = format!("{{{name}}}");
        template
            .split('/')
            .zip(path.split('/'))
            .find(|(part, _)| *part == wanted)
            .map(|(_, value)| value)
    }
}

/// The whole record.
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn read() -> Self {
        let blocks = RECORD.split("\n### ").skip(1);
        Self(blocks.filter_map(Sample::parse).collect())
    }

    /// An operation's answer with `status`: its own, else for an error what any may answer.
    pub(crate) fn find(&self, operation: &str, status: u16) -> Option<&Sample> {
        let of = |name: &str| {
            let fits = |sample: &&Sample| sample.operation == name && sample.status == status;
            self.0.iter().find(fits)
        };
        of(operation).or_else(|| of(ANY).filter(|_| status >= 400))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_record_is_understood() {
        let samples = Samples::read();
        assert_eq!(samples.0.len(), RECORD.matches("\n### ").count());
        for sample in &samples.0 {
            let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert!(json(sample.answer), "{sample:?}");
            assert!(sample.body.is_empty() || json(sample.body), "{sample:?}");
        }
    }

    #[test]
    fn a_sample_is_found_by_operation_and_status() {
        let samples = Samples::read();
        let renamed = samples.find("updateTeam", 200).unwrap();
        let template = "/api/v2/organization/teams/{teamId}";
        let team = renamed.parameter(template, "teamId").unwrap();
        assert!(team.starts_with("team_"), "{team}");
        assert_eq!(renamed.parameter(template, "modelId"), None);
        let anybody_s = samples.find("updateTeam", 401).unwrap();
        assert!(anybody_s.answer("").contains("UNAUTHORIZED"));
        assert!(samples.find("any thing", 200).is_none());
    }

    #[test]
    fn addresses_are_the_server_s_own() {
        let samples = Samples::read();
        let invited = samples.find("createInvite", 200).unwrap();
        let answer = invited.answer("https://shots.example");
        let link = "\"https://shots.example/auth/signup?";
        assert!(answer.contains(link), "{answer}");
    }
}
