//! Which selfies are the best?

use super::quality::Quality;
use super::verdict::Verdict;
use crate::raster::smoothstep;

/// How good a usable selfie is, 0..=1, from sharpness, pose, light and expression. `findings` is
/// the number of warnings.
pub fn score(q: &Quality, findings: usize) -> f32 {
    let size = 0.6 + 0.4 * smoothstep(40.0, 160.0, q.eye_distance);
    let sharp = 0.5 + 0.5 * smoothstep(28.0, 250.0, q.sharpness);
    let still = 0.7 + 0.3 * smoothstep(0.22, 0.5, q.motion);
    let off_axis = (q.yaw / 38.0).hypot(q.pitch / 28.0).hypot(q.roll / 30.0);
    let pose = 1.0 - 0.5 * smoothstep(0.1, 1.1, off_axis);
    let light = (1.0 - 0.4 * smoothstep(1.15, 1.9, q.side_light))
        * (1.0 - 0.4 * smoothstep(0.02, 0.12, q.clipped_high))
        * (1.0 - 0.4 * q.back_light.clamp(0.0, 1.0));
    // Eyes get narrow with a smile.
    let eyes = 0.6 + 0.4 * smoothstep(0.15, 0.22, q.eye_openness);
    let smile = 0.85 + 0.15 * smoothstep(0.7, 1.15, q.smile);
    let expression = smile * (1.0 - 0.3 * smoothstep(0.25, 0.45, q.mouth_open));
    // A face on a document is small, flat and printed, however sharp the scan is.
    let print = 1.0 - 0.7 * smoothstep(1.0, 2.0, q.print);
    let warnings = 0.85f32.powi(i32::try_from(findings).unwrap_or(i32::MAX));
    size * sharp * still * pose * light * eyes * expression * print * warnings
}

/// Indices of the usable selfies, best first; equal ones in the order given.
pub fn best(verdicts: &[Verdict]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..verdicts.len())
        .filter(|&i| verdicts[i].usable)
        .collect();
    order.sort_by(|&a, &b| {
        verdicts[b]
            .score
            .total_cmp(&verdicts[a].score)
            .then(a.cmp(&b))
    });
    order
}
