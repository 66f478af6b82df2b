use askama::Template;

/// One bar: a total, and a part of it that is marked.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it counts, `14:00`.
    pub label: String,
    /// Whole height.
    pub total: u32,
    /// Marked part at its foot.
    pub marked: u32,
}

/// Bars drawn by the server, with the same numbers as a table.
#[derive(Debug, Clone, Template)]
#[template(path = "ui/chart.html")]
pub struct Chart {
    id: &'static str,
    caption: &'static str,
    bars: Vec<Bar>,
}

/// A bar in the units of the drawing.
struct Shape {
    x: u32,
    y: u32,
    height: u32,
    marked_y: u32,
    marked_height: u32,
}

const HEIGHT: u32 = 100;
const STEP: u32 = 20;

impl Chart {
    /// A chart of accepted and refused requests.
    pub fn new(id: &'static str, caption: &'static str, bars: Vec<Bar>) -> Self {
        Self { id, caption, bars }
    }

    fn width(&self) -> u32 {
        u32::try_from(self.bars.len())
            .unwrap_or(0)
            .saturating_mul(STEP)
    }

    fn peak(&self) -> u32 {
        self.bars.iter().map(|bar| bar.total).max().unwrap_or(0)
    }

    fn shapes(&self) -> Vec<Shape> {
        let peak = u64::from(self.peak().max(1));
        let scale = |count: u32| {
            let height = u64::from(count) * u64::from(HEIGHT) / peak;
            // One request in a busy day still shows.
            u32::try_from(height)
                .unwrap_or(HEIGHT)
                .max(if count == 0 { 0 } else { 3 })
        };
        let place = |(x, bar): (u32, &Bar)| {
            let height = scale(bar.total);
            let marked_height = scale(bar.marked.min(bar.total));
            Shape {
                x: x * STEP + 3,
                y: HEIGHT - height,
                height,
                marked_y: HEIGHT - marked_height,
                marked_height,
            }
        };
        (0..).zip(&self.bars).map(place).collect()
    }

    /// Labels under the first, middle and last bar.
    fn axis(&self) -> [&str; 3] {
        let label = |at: usize| self.bars.get(at).map_or("", |bar| bar.label.as_str());
        let last = self.bars.len().saturating_sub(1);
        [label(0), label(self.bars.len() / 2), label(last)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(totals: &[(u32, u32)]) -> Chart {
        let bar = |&(total, marked)| Bar {
            label: String::new(),
            total,
            marked,
        };
        Chart::new("c", "c", totals.iter().map(bar).collect())
    }

    #[test]
    fn the_highest_bar_fills_the_drawing_and_one_request_still_shows() {
        let shapes = chart(&[(1, 0), (u32::MAX, 1), (0, 0)]).shapes();
        assert_eq!(
            shapes.iter().map(|s| s.height).collect::<Vec<_>>(),
            [3, 100, 0]
        );
        assert_eq!(shapes[1].marked_height, 3);
    }

    #[test]
    fn no_bars_and_empty_bars_draw_nothing() {
        assert!(chart(&[]).shapes().is_empty());
        assert_eq!(chart(&[(0, 0)]).shapes()[0].height, 0);
        assert!(chart(&[]).render().is_ok());
    }
}
