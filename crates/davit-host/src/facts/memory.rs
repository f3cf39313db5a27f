//! Memory and swap, by `/proc/meminfo`, in mebibytes.

use serde_json::json;

use super::Gathering;

/// Gathers the memory's facts.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    let Some(text) = to.place.read("/proc/meminfo") else { return };
    let get = |name: &str| -> u64 {
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    };
    let (total, free) = (get("MemTotal"), get("MemFree"));
    let (swap_total, swap_free) = (get("SwapTotal"), get("SwapFree"));
    let without_cache = free + get("Cached") + get("Buffers");
    let memory = json!({
        "nocache": { "free": without_cache, "used": total.saturating_sub(without_cache) },
        "real": { "free": free, "total": total, "used": total.saturating_sub(free) },
        "swap": {
            "cached": get("SwapCached"),
            "free": swap_free,
            "total": swap_total,
            "used": swap_total.saturating_sub(swap_free),
        },
    });
    to.set("memtotal_mb", total);
    to.set("memfree_mb", free);
    to.set("swaptotal_mb", swap_total);
    to.set("swapfree_mb", swap_free);
    to.set("memory_mb", memory);
}
