//! Moments and amounts as people read them.

use headshot_domain::Timestamp;
use headshot_pages::When;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// *2 minutes ago* for what lies less than a week back, else the date and time in UTC.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> When {
    let seconds = now.since(at).as_secs();
    let human = match seconds {
        _ if at > now => date_time(at),
        0..10 => "just now".into(),
        10..MINUTE => format!("{seconds} seconds ago"),
        MINUTE..HOUR => count(seconds / MINUTE, "minute"),
        HOUR..DAY => count(seconds / HOUR, "hour"),
        _ if seconds < 7 * DAY => count(seconds / DAY, "day"),
        _ => date_time(at),
    };
    When::new(at.to_string(), human)
}

fn count(number: u64, unit: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s} ago")
}

/// *15 Jan 2024, 10:30 UTC*.
pub(crate) fn moment(at: Timestamp) -> When {
    When::new(at.to_string(), date_time(at))
}

/// *10:30:00* for today, else *15 Jan 2024, 10:30:00*: for logs, where every second counts.
pub(crate) fn log_time(at: Timestamp, now: Timestamp) -> When {
    let iso = at.to_string();
    let time = &iso[11..19];
    let human = if at.date() == now.date() {
        time.to_owned()
    } else {
        format!("{}, {time}", date(at))
    };
    When::new(iso.clone(), human)
}

/// *10:30:00.418*, for receipts.
pub(crate) fn clock_time(at: Timestamp) -> When {
    let iso = at.to_string();
    let human = format!("{} UTC", &iso[11..23]);
    When::new(iso, human)
}

/// *15 Jan 2024, 10:30:00.418 UTC*.
pub(crate) fn exact(at: Timestamp) -> When {
    let human = format!("{}, {}", date(at), clock_time(at).human);
    When::new(at.to_string(), human)
}

fn date_time(at: Timestamp) -> String {
    let iso = at.to_string();
    format!("{}, {} UTC", date(at), &iso[11..16])
}

/// *15 Jan 2024*.
pub(crate) fn date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let iso = at.to_string();
    let month = iso[5..7].parse::<usize>().unwrap_or(1).clamp(1, 12);
    format!(
        "{} {} {}",
        iso[8..10].trim_start_matches('0'),
        MONTHS[month - 1],
        &iso[..4]
    )
}

/// *1.2 ms*.
pub(crate) fn duration(microseconds: i64) -> String {
    match microseconds {
        ..1_000 => format!("{microseconds} µs"),
        1_000..100_000 => {
            format!("{}.{} ms", microseconds / 1_000, microseconds % 1_000 / 100)
        }
        100_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!(
            "{}.{} s",
            microseconds / 1_000_000,
            microseconds % 1_000_000 / 100_000
        ),
    }
}

/// *512 B*, *1.5 KiB*.
pub(crate) fn bytes(bytes: i64) -> String {
    if bytes < 1_024 {
        format!("{bytes} B")
    } else {
        format!("{}.{} KiB", bytes / 1_024, bytes % 1_024 * 10 / 1_024)
    }
}

/// *Firefox on macOS*, as far as the browser tells.
pub(crate) fn device(user_agent: &str) -> String {
    let first = |list: &[(&str, &'static str)]| {
        list.iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if user_agent.is_empty() => "Unknown browser".to_owned(),
        (None, None) => user_agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments_read_well() {
        let now = Timestamp::from_unix_ms(1_705_314_600_000);
        let back = |seconds| ago(now.minus(Duration::from_secs(seconds)), now).human;
        assert_eq!(back(3), "just now");
        assert_eq!(back(59), "59 seconds ago");
        assert_eq!(back(60), "1 minute ago");
        assert_eq!(back(3_599), "59 minutes ago");
        assert_eq!(back(3_600), "1 hour ago");
        assert_eq!(back(2 * DAY), "2 days ago");
        assert_eq!(back(8 * DAY), "7 Jan 2024, 10:30 UTC");
        assert_eq!(clock_time(now).human, "10:30:00.000 UTC");
        assert_eq!(exact(now).human, "15 Jan 2024, 10:30:00.000 UTC");
        assert_eq!(log_time(now, now).human, "10:30:00");
        assert_eq!(
            log_time(now.minus(Duration::from_hours(11)), now).human,
            "14 Jan 2024, 23:30:00"
        );
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(duration(999), "999 µs");
        assert_eq!(duration(1_250), "1.2 ms");
        assert_eq!(duration(2_500_000), "2.5 s");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
    }
}
