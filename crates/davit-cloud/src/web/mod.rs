//! What the clients of clouds that speak JSON over HTTP have in common. Knows no cloud.

pub mod ini;
pub mod jwt;
pub mod pauses;
pub mod place;
pub mod secrets;
pub mod wanted;
