//! Whether photos show one person.

use crate::ENGINE;
use crate::pictures::{ASTRONAUT, OBAMA, OBAMA2, jpeg, noise, rotated, scaled};
use headshot_imaging::analysis::identity::{SAME_PERSON_MAX, compare};
use headshot_imaging::decode::decode;
use headshot_imaging::{Descriptor, Identity};

fn face(photo: &[u8]) -> Descriptor {
    let (verdict, face) = ENGINE.judge(photo).unwrap();
    assert!(face.is_some(), "{verdict:?}");
    face.unwrap()
}

#[test]
fn photos_of_one_person_lie_within_the_threshold_and_others_far_outside() {
    let [one, again, other] = [OBAMA, OBAMA2, ASTRONAUT].map(face);
    let (same, first, second) = (
        one.distance(&again),
        one.distance(&other),
        again.distance(&other),
    );
    println!("one person {same:.3}, two people {first:.3} and {second:.3}");
    assert!(same < SAME_PERSON_MAX - 0.1, "{same}");
    assert!(
        first.min(second) > SAME_PERSON_MAX + 0.1,
        "{first} {second}"
    );
    assert!(one.distance(&one) == 0.0);
}

#[test]
fn the_stranger_among_three_is_found_and_none_of_two() {
    let [one, again, other] = [OBAMA, OBAMA2, ASTRONAUT].map(face);
    let found = compare(&[other.clone(), one.clone(), again]);
    assert!(
        matches!(found[..], [Identity::Stranger { distance }, Identity::Same, Identity::Same] if distance > SAME_PERSON_MAX)
    );
    let found = compare(&[other, one]);
    assert!(matches!(
        found[..],
        [Identity::Undecided { .. }, Identity::Undecided { .. }]
    ));
}

#[test]
fn a_face_is_the_same_smaller_turned_and_without_being_judged() {
    let picture = decode(OBAMA).unwrap().pixels;
    let one = face(OBAMA);
    let half = scaled(&picture, picture.width() / 2, picture.height() / 2);
    for (what, photo, limit) in [
        ("half as large", jpeg(&half), 0.25),
        ("turned", jpeg(&rotated(&picture, 12.0)), 0.25),
        ("itself", OBAMA.to_vec(), 0.0),
    ] {
        let seen = ENGINE.identify(&photo).unwrap().unwrap();
        let distance = one.distance(&seen);
        println!("{what}: {distance:.3}");
        assert!(distance <= limit, "{what}: {distance}");
    }
}

#[test]
fn nobody_has_no_face() {
    for nobody in [jpeg(&noise(320, 240)), b"text".to_vec()] {
        assert!(ENGINE.identify(&nobody).unwrap().is_none());
        assert!(ENGINE.judge(&nobody).unwrap().1.is_none());
    }
}
