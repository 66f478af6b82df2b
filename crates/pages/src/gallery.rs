//! Every component in every state, for people who build pages.

use crate::{
    Template,
    ui::{
        Badge, Bar, Button, Chart, Code, CodeTabs, Crumbs, Empty, Field, Icon, Pagination, Sort,
        Stat, TableHead, Tone,
    },
};

/// The gallery; needs no data.
#[derive(Debug, Clone, Template)]
#[template(path = "gallery.html")]
pub struct Gallery;

impl Gallery {
    fn tones() -> [Tone; 5] {
        [Tone::Neutral, Tone::Good, Tone::Warn, Tone::Bad, Tone::Info]
    }

    fn chart() -> Chart {
        let bars = [4, 9, 14, 0, 22, 31, 18, 7].into_iter().zip(0..);
        let bar = |(total, hour): (u32, u32)| Bar {
            label: format!("{hour:02}:00"),
            total,
            marked: total / 8,
        };
        Chart::new("gallery-chart", "Requests by hour", bars.map(bar).collect())
    }

    fn tabs() -> CodeTabs {
        CodeTabs::new(
            "gallery",
            "Samples",
            vec![
                Code::new("g-curl", "curl", "curl 127.0.0.1:8080/healthz"),
                Code::new("g-node", "Node", "await fetch('/healthz')"),
            ],
        )
    }
}
