//! What owners and admins set: an organization's own images and logo, and its looks, on both
//! databases.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside of the test functions stop the test too"
)]

use std::ops::Deref;

use bytes::Bytes;
use headshot_app::audit::Actor;
use headshot_app::brand::{self, BrandError, IMAGE_BYTES_MAX, IMAGES_MAX, Kind, LOGO_BYTES_MAX};
use headshot_app::shoots::{self, Choice, ChoiceError, Looks};
use headshot_domain::OrgId;
use headshot_imaging::encode::encode;
use headshot_imaging::raster::Rgb8;
use headshot_imaging::{Backdrop, OutputFormat, decode};
use headshot_storage::audit;
use headshot_testkit::{Home, On};
use rstest::rstest;

/// An organization, and another one.
struct Place {
    home: Home,
    other: OrgId,
}

impl Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

async fn place(on: On) -> Place {
    let home = Home::open(on.database().await, None, |_| {}).await;
    Place {
        other: headshot_testkit::organization(&home.app, "Globex", None).await,
        home,
    }
}

impl Place {
    async fn add(&self, kind: Kind, file: Bytes) -> Result<brand::Asset, BrandError> {
        let by = (&self.org, &Actor::command_line());
        brand::add(&self.app, by, kind, ("C:\\files\\mine.jpg", file)).await
    }

    async fn remove(&self, org: &OrgId, digest: &str) -> Result<brand::Asset, BrandError> {
        brand::remove(&self.app, (org, &Actor::command_line()), digest).await
    }

    async fn choose(&self, org: &OrgId, looks: Looks) -> Result<Choice, ChoiceError> {
        shoots::choose_looks(&self.app, (org, &Actor::command_line()), looks).await
    }

    async fn looks(&self) -> Choice {
        shoots::looks(&self.app, &self.org).await.unwrap()
    }

    async fn digests(&self) -> Vec<String> {
        let all = brand::list(&self.app, &self.org).await.unwrap();
        all.into_iter().map(|asset| asset.digest).collect()
    }

    /// Actions in the audit log, without what made the organizations.
    async fn actions(&self) -> Vec<String> {
        let mut conn = self.database.db.read().await.unwrap();
        let entries = audit::after(&mut conn, 0, 1_000).await.unwrap();
        let actions = entries.into_iter().map(|entry| entry.action);
        let set = |action: &String| {
            action.starts_with("brand.") || action == "organization.looks_changed"
        };
        actions.filter(set).collect()
    }
}

fn picture(format: OutputFormat, (width, height): (usize, usize), shade: usize) -> Bytes {
    let shade = u8::try_from(shade).unwrap();
    let pixels = Rgb8::filled(width, height, [shade, 80, 120]);
    encode(&pixels, format, 90, "").unwrap().into()
}

fn image(shade: usize) -> Bytes {
    picture(OutputFormat::Jpeg, (1024, 1280), shade)
}

fn logo(shade: usize) -> Bytes {
    picture(OutputFormat::Png, (300, 100), shade)
}

fn of_image(digest: &str) -> Looks {
    Looks {
        backdrops: vec![format!("image:{digest}")],
        ..Looks::default()
    }
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn images_are_taken_up_to_their_number_and_shown(#[case] on: On) {
    let place = place(on).await;
    let first = place.add(Kind::Backdrop, image(0)).await.unwrap();
    assert_eq!(first.name, "mine.jpg");
    let again = place.add(Kind::Backdrop, image(0)).await;
    assert!(matches!(again, Err(BrandError::Duplicate)));
    for number in 1..IMAGES_MAX {
        place.add(Kind::Backdrop, image(number * 20)).await.unwrap();
    }
    let more = place.add(Kind::Backdrop, image(200)).await;
    assert!(matches!(more, Err(BrandError::TooMany)));
    // The logo is not one of them.
    place.add(Kind::Logo, logo(0)).await.unwrap();
    assert_eq!(place.digests().await.len(), IMAGES_MAX + 1);

    let shown = brand::shown(&place.app, &place.org, &first.digest).await;
    let (kind, bytes) = shown.unwrap().unwrap();
    assert_eq!(kind, Kind::Backdrop);
    let small = decode::decode(&bytes).unwrap().pixels;
    assert_eq!((small.width(), small.height()), (256, 320));
    let foreign = brand::shown(&place.app, &place.other, &first.digest).await;
    assert_eq!(foreign.unwrap(), None);

    let foreign = place.remove(&place.other, &first.digest).await;
    assert!(matches!(foreign, Err(BrandError::NotFound)));
    place.remove(&place.org, &first.digest).await.unwrap();
    let twice = place.remove(&place.org, &first.digest).await;
    assert!(matches!(twice, Err(BrandError::NotFound)));
    place.add(Kind::Backdrop, image(200)).await.unwrap();
    let mut expected = vec!["brand.added"; IMAGES_MAX + 1];
    expected.extend(["brand.removed", "brand.added"]);
    assert_eq!(place.actions().await, expected);
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_choice_names_what_is_there(#[case] on: On) {
    let place = place(on).await;
    assert_eq!(place.looks().await, Choice::default());
    let (one, two) = (
        place.add(Kind::Backdrop, image(1)).await.unwrap().digest,
        place.add(Kind::Backdrop, image(90)).await.unwrap().digest,
    );
    assert_eq!(place.looks().await, Choice::default(), "it is not chosen");
    let foreign = place.choose(&place.other, of_image(&one)).await;
    assert!(matches!(foreign, Err(ChoiceError::Unknown { .. })));
    let without = Looks {
        logo: Some(true),
        ..Looks::default()
    };
    let without = place.choose(&place.org, without).await;
    assert!(matches!(without, Err(ChoiceError::NoLogo)));

    let both = Looks {
        backdrops: vec![
            format!("image:{one}"),
            "navy".to_owned(),
            format!("image:{two}"),
        ],
        ..Looks::default()
    };
    place.choose(&place.org, both).await.unwrap();
    let (one_shown, two_shown) = (Backdrop::Image(one.clone()), Backdrop::Image(two.clone()));
    assert_eq!(
        place.looks().await.backdrops,
        [one_shown, Backdrop::Navy, two_shown.clone()]
    );
    place.remove(&place.org, &one).await.unwrap();
    assert_eq!(place.looks().await.backdrops, [Backdrop::Navy, two_shown]);
    place.choose(&place.org, of_image(&two)).await.unwrap();
    place.remove(&place.org, &two).await.unwrap();
    assert_eq!(place.looks().await, Choice::default());
    let gone = place.choose(&place.org, of_image(&two)).await;
    assert!(matches!(gone, Err(ChoiceError::Unknown { .. })));
}

#[rstest]
#[case(On::Sqlite)]
#[case(On::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_logo_is_drawn_until_it_is_switched_off_or_removed(#[case] on: On) {
    let place = place(on).await;
    let first = place.add(Kind::Logo, logo(1)).await.unwrap().digest;
    assert_eq!(place.looks().await.logo, Some(first.clone()));
    let shown = brand::shown(&place.app, &place.org, &first).await;
    assert_eq!(shown.unwrap(), Some((Kind::Logo, logo(1).to_vec())));
    let second = place.add(Kind::Logo, logo(2)).await.unwrap().digest;
    assert_eq!(
        place.digests().await,
        std::slice::from_ref(&second),
        "it took the place"
    );
    assert_eq!(place.looks().await.logo, Some(second.clone()));

    // A logo is no backdrop, and an image no logo.
    let wrong = place.choose(&place.org, of_image(&second)).await;
    assert!(matches!(wrong, Err(ChoiceError::Unknown { .. })));
    let set = async |logo: Option<bool>| {
        let looks = Looks {
            logo,
            ..Looks::default()
        };
        place.choose(&place.org, looks).await.unwrap().logo
    };
    assert_eq!(set(None).await, Some(second.clone()), "as it was");
    assert_eq!(set(Some(false)).await, None);
    assert_eq!(set(None).await, None);
    assert_eq!(set(Some(true)).await, Some(second.clone()));
    place.remove(&place.org, &second).await.unwrap();
    assert_eq!(place.looks().await, Choice::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_taken() {
    let place = place(On::Sqlite).await;
    let said = async |kind, file: Bytes| place.add(kind, file).await.unwrap_err().to_string();
    for (kind, most) in [
        (Kind::Backdrop, IMAGE_BYTES_MAX),
        (Kind::Logo, LOGO_BYTES_MAX),
    ] {
        let exact = place.add(kind, vec![0; most].into()).await;
        assert!(matches!(exact, Err(BrandError::Unusable(_))));
        let large = place.add(kind, vec![0; most + 1].into()).await;
        assert!(matches!(large, Err(BrandError::TooLarge(_))));
    }
    let small = picture(OutputFormat::Jpeg, (1023, 1280), 1);
    assert_eq!(
        said(Kind::Backdrop, small).await,
        "This image is too small: 1023 x 1280 pixels. It has to be at least 1024 wide and 1280 high."
    );
    assert_eq!(said(Kind::Logo, image(1)).await, "This file is not a PNG.");
    let large = picture(OutputFormat::Png, (2000, 2001), 1);
    assert!(said(Kind::Logo, large).await.contains("4 megapixels"));
    assert_eq!(place.digests().await, [""; 0]);
    assert_eq!(place.actions().await, [""; 0]);
}
