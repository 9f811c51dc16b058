//! Links the way Node loads addons.

fn main() {
    napi_build::setup();
}
