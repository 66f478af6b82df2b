use super::{HOSTILE_NAME, Sample, WEBHOOK_SECRET, keys, sample, shell, when};
use crate::{
    ApiKeys, DeliveryRow, Error, EventRow, EventState, JobRow, Jobs, NavItem, Notice, Shell,
    WebhookDetail, WebhookEndpoint, WebhookSecret, WebhookSettings, Webhooks,
};

const URL: &str = "https://hooks.acme.example/headshot?tenant=1";

pub(super) fn all() -> Result<Vec<Sample>, Error> {
    let list = list();
    Ok(vec![
        sample("webhook-settings", &settings(saved(2)))?,
        sample(
            "webhook-settings-refused",
            &settings(WebhookSettings {
                typed: Some("http://intranet/<script>alert(1)</script>".to_owned()),
                error: Some("The address must begin with https://.".to_owned()),
                ..saved(0)
            }),
        )?,
        sample("webhook-secret", &secret(false))?,
        sample("webhook-secret-rotated", &secret(true))?,
        sample("webhooks", &list)?,
        sample(
            "webhooks-empty",
            &Webhooks {
                events: Vec::new(),
                failed: 0,
                older_url: None,
                ..list.clone()
            },
        )?,
        sample(
            "webhooks-none",
            &Webhooks {
                configured: false,
                events: Vec::new(),
                failed: 0,
                older_url: None,
                ..list.clone()
            },
        )?,
        sample(
            "webhooks-nothing",
            &Webhooks {
                state: "pending".to_owned(),
                events: Vec::new(),
                older_url: None,
                shell: Shell {
                    notice: Some(Notice::good("2 failed events are sent again.")),
                    ..list.shell.clone()
                },
                ..list
            },
        )?,
        sample("webhook-event", &detail())?,
        sample(
            "webhook-event-new",
            &WebhookDetail {
                event: event("evt_4", "webhook.test", EventState::Pending, None),
                deliveries: Vec::new(),
                can_replay: false,
                ..detail()
            },
        )?,
        sample("webhook-event-erased", &erased())?,
        sample("jobs", &jobs())?,
        sample(
            "jobs-empty",
            &Jobs {
                kind: String::new(),
                dead: Vec::new(),
                dead_total: 0,
                open: Vec::new(),
                ..jobs()
            },
        )?,
    ])
}

fn settings(webhook: WebhookSettings) -> ApiKeys {
    ApiKeys {
        webhook,
        ..keys::list()
    }
}

fn saved(failed: i64) -> WebhookSettings {
    WebhookSettings {
        endpoint: Some(WebhookEndpoint {
            url: URL.to_owned(),
            updated: when("2026-11-24T09:12:00Z", "6 hours ago"),
            overlap_until: Some(when("2026-11-25T09:12:00Z", "25 Nov 2026, 09:12 UTC")),
        }),
        typed: None,
        error: None,
        failed,
    }
}

fn secret(rotated: bool) -> WebhookSecret {
    WebhookSecret {
        shell: shell("Webhook secret", NavItem::Api),
        secret: WEBHOOK_SECRET.to_owned(),
        url: URL.to_owned(),
        overlap_until: rotated.then(|| when("2026-11-25T09:12:00Z", "25 Nov 2026, 09:12 UTC")),
        rotated,
    }
}

fn event(id: &str, name: &str, state: EventState, last: Option<&str>) -> EventRow {
    EventRow {
        id: id.to_owned(),
        name: name.to_owned(),
        when: when("2026-11-24T14:03:12Z", "14:03:12"),
        state,
        model: "507f1f77bcf86cd799439011".to_owned(),
        last: last.map(str::to_owned),
    }
}

fn list() -> Webhooks {
    Webhooks {
        shell: shell("Webhooks", NavItem::Webhooks),
        configured: true,
        state: String::new(),
        events: vec![
            EventRow {
                model: String::new(),
                ..event("evt_4", "webhook.test", EventState::Pending, None)
            },
            event(
                "evt_3",
                "model.photos_ready",
                EventState::Delivered,
                Some("200 in 41.2 ms"),
            ),
            event(
                "evt_2",
                "model.status.updated",
                EventState::Failed,
                Some("the name hooks.acme.example can't be resolved"),
            ),
            event(
                "evt_1",
                "model.created",
                EventState::Failed,
                Some(HOSTILE_NAME),
            ),
        ],
        failed: 2,
        older_url: Some("/app/admin/webhooks?before=1705314600000.evt_1".to_owned()),
        newer_url: None,
    }
}

fn detail() -> WebhookDetail {
    let body = format!("{{\"id\":\"evt_2\",\"object\":{{\"title\":\"{HOSTILE_NAME}\"}}}}");
    WebhookDetail {
        shell: shell("Webhook event", NavItem::Webhooks),
        event: event("evt_2", "model.status.updated", EventState::Failed, None),
        body,
        erased: None,
        deliveries: vec![
            DeliveryRow {
                id: "dlv_2".to_owned(),
                attempt: 2,
                when: when("2026-11-24T14:03:13Z", "24 Nov 2026, 14:03:13.418 UTC"),
                duration: "10.0 s".to_owned(),
                status: None,
                error: Some("no answer within 10 seconds".to_owned()),
                request: REQUEST.to_owned(),
                response: String::new(),
            },
            DeliveryRow {
                id: "dlv_1".to_owned(),
                attempt: 1,
                when: when("2026-11-24T14:03:12Z", "24 Nov 2026, 14:03:12.011 UTC"),
                duration: "41.2 ms".to_owned(),
                status: Some(500),
                error: None,
                request: REQUEST.to_owned(),
                response: format!("HTTP/1.1 500 Internal Server Error\n\n{HOSTILE_NAME}"),
            },
        ],
        can_replay: true,
    }
}

fn erased() -> WebhookDetail {
    let mut detail = WebhookDetail {
        body: "{\"id\":\"evt_2\",\"object\":{\"title\":\"\"}}".to_owned(),
        erased: Some(when(
            "2026-11-24T15:00:00Z",
            "24 Nov 2026, 15:00:00.000 UTC",
        )),
        ..detail()
    };
    for delivery in &mut detail.deliveries {
        delivery.response.clear();
    }
    detail
}

const REQUEST: &str = "POST /headshot?tenant=1 HTTP/1.1
Host: hooks.acme.example
X-HeadshotPro-Timestamp: 1764000000
X-HeadshotPro-Signature: sha256=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";

fn jobs() -> Jobs {
    let job = |id: &str, why: &str| JobRow {
        id: id.to_owned(),
        kind: "webhook.deliver".to_owned(),
        attempts: 5,
        when: when("2026-11-24T14:03:12Z", "1 hour ago"),
        last_error: why.to_owned(),
    };
    Jobs {
        shell: shell("Jobs", NavItem::Jobs),
        kinds: vec!["webhook.deliver", "mail.send", "shoot"],
        kind: "webhook.deliver".to_owned(),
        dead_total: 1_203,
        dead: vec![
            job("job_abc123def456ghij", "the receiver answered 500"),
            job("job_xyz", HOSTILE_NAME),
        ],
        open: vec![job("job_open", "")],
    }
}
