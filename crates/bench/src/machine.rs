//! What the figures were measured on.

use std::process::Command;

pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    vec![
        ("cores", format!("{cores} ({})", processor())),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("memory", memory()),
        ("compiler", output("rustc", &["--version"])),
        (
            "revision",
            output("git", &["describe", "--always", "--dirty"]),
        ),
        ("load average at the start", first_line("/proc/loadavg")),
    ]
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    name.map_or_else(
        || "unknown".to_owned(),
        |name| name.trim_matches([' ', '\t', ':']).to_owned(),
    )
}

fn memory() -> String {
    first_line("/proc/meminfo")
        .replace("MemTotal:", "")
        .trim()
        .to_owned()
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn output(program: &str, args: &[&str]) -> String {
    let ran = Command::new(program).args(args).output();
    ran.map_or_else(
        |_| "unknown".to_owned(),
        |ran| String::from_utf8_lossy(&ran.stdout).trim().to_owned(),
    )
}
