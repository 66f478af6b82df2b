//! Which photos a shoot makes: from which selfie, in which look, in which order.

use headshot_imaging::{Backdrop, Crop, Look, Style};

/// The looks that an organization allows. No list is ever empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What stands behind.
    pub backdrops: Vec<Backdrop>,
    /// Light and colours.
    pub styles: Vec<Style>,
    /// How much of the person is shown.
    pub crops: Vec<Crop>,
    /// The logo in the backdrop's corner, by its digest.
    pub logo: Option<String>,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            backdrops: Backdrop::RENDERED.to_vec(),
            styles: Style::ALL.to_vec(),
            // A square is asked for by those who need one.
            crops: vec![Crop::Headshot, Crop::Close, Crop::Half],
            logo: None,
        }
    }
}

/// A photo to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its number in the shoot.
    pub(crate) place: usize,
    /// Which selfie: 0 is the best.
    pub(crate) selfie: usize,
    /// How it looks.
    pub(crate) look: Look,
}

/// The most selfies that one shoot uses.
pub(crate) const SELFIES_MAX: usize = 4;

/// `photos` photos of `selfies` selfies, best selfies first and with the most photos.
///
/// The same for the same arguments, so that an interrupted shoot goes on where it was. Photos of one
/// selfie, crop and style follow each other: the engine makes what they share once. Within such a
/// run the backdrop changes from photo to photo, and no look comes twice before all have come.
pub(crate) fn plan(photos: usize, selfies: usize, choice: &Choice) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(photos);
    let selfies = selfies.min(SELFIES_MAX);
    for (selfie, count) in shares(photos, selfies).into_iter().enumerate() {
        let mut drawn = 0;
        for (crop, count) in choice.crops.iter().zip(shares(count, choice.crops.len())) {
            for (style, count) in choice.styles.iter().zip(evenly(count, choice.styles.len())) {
                for _ in 0..count {
                    // Each selfie begins elsewhere: two selfies give two sets, not one twice.
                    let backdrop = (drawn + selfie * 3) % choice.backdrops.len();
                    planned.push(Planned {
                        place: planned.len(),
                        selfie,
                        look: Look {
                            crop: *crop,
                            size: crop.default_size(),
                            style: *style,
                            backdrop: choice.backdrops[backdrop].clone(),
                            logo: choice.logo.clone(),
                            ..Look::default()
                        },
                    });
                    drawn += 1;
                }
            }
        }
    }
    planned
}

/// Divides `count` into `parts`, earlier ones larger: each part weighs one more than the next.
fn shares(count: usize, parts: usize) -> Vec<usize> {
    let weights: usize = (1..=parts).sum();
    let mut left = count;
    (0..parts)
        .map(|part| {
            let last = part + 1 == parts;
            let share = if last {
                left
            } else {
                (count * (parts - part)).div_ceil(weights.max(1)).min(left)
            };
            left -= share;
            share
        })
        .collect()
}

/// Divides `count` into `parts` that differ by one at most, earlier ones larger.
fn evenly(count: usize, parts: usize) -> Vec<usize> {
    (0..parts)
        .map(|part| count / parts + usize::from(part < count % parts))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_count_is_planned_exactly() {
        for photos in [1, 2, 7, 39, 40, 41, 200] {
            for selfies in [1, 2, 3, 4, 20] {
                let planned = plan(photos, selfies, &Choice::default());
                assert_eq!(planned.len(), photos);
                assert!(planned.iter().enumerate().all(|(i, one)| one.place == i));
                assert!(planned.is_sorted_by_key(|one| one.selfie));
                assert!(
                    planned
                        .iter()
                        .all(|one| one.selfie < SELFIES_MAX.min(selfies))
                );
            }
        }
    }

    #[test]
    fn the_best_selfie_comes_first_and_most_often() {
        let planned = plan(40, 4, &Choice::default());
        let of = |selfie| planned.iter().filter(|one| one.selfie == selfie).count();
        assert_eq!([of(0), of(1), of(2), of(3)], [16, 12, 8, 4]);
    }

    #[test]
    fn looks_do_not_repeat() {
        for selfies in 1..=4 {
            let planned = plan(40, selfies, &Choice::default());
            let looks: BTreeSet<String> = planned
                .iter()
                .map(|one| format!("{} {:?}", one.selfie, one.look))
                .collect();
            assert_eq!(looks.len(), 40, "{selfies} selfies");
        }
    }

    #[test]
    fn only_what_is_allowed_is_planned() {
        let choice = Choice {
            backdrops: vec![Backdrop::Navy],
            styles: vec![Style::Mono],
            crops: vec![Crop::Square],
            logo: Some("ab".to_owned()),
        };
        let planned = plan(3, 2, &choice);
        assert_eq!(planned.len(), 3);
        for one in planned {
            assert_eq!(one.look.backdrop, Backdrop::Navy);
            assert_eq!(one.look.logo.as_deref(), Some("ab"));
            assert_eq!((one.look.style, one.look.crop), (Style::Mono, Crop::Square));
        }
    }
}
