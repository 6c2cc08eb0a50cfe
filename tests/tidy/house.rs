//! The house as tables: its floors, the rooms of its dependencies, its providers.

/// Rooms from the ground up. A room imports only rooms on lower floors; rooms on one floor are
/// strangers. The ground has a cellar: single files that even its other rooms may use.
pub(super) const FLOORS: &[&[&str]] = &[
    &["clock", "code", "secret"],
    &["message", "telemetry"],
    &["config"],
    &["provider", "tls"],
    &["token", "egress", "server"],
    &["proxy", "admin"],
    &["app"],
    &["cli", "fuzz"],
    &["main"],
];

/// Imports no room and is known to `app` and `cli` alone.
pub(super) const ANNEX: &str = "emulator";

/// Each dependency and the places under `src/` that may name it; mirrors the comments in Cargo.toml.
pub(super) const ROOMS: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["config"]),
    ("arc_swap", &["token", "proxy", "server"]),
    ("aws_lc_rs", &["secret", "emulator"]),
    ("axum", &["admin", "emulator"]),
    (
        "base64",
        &["message", "provider", "egress", "emulator", "fuzz"],
    ),
    ("bytes", EVERYWHERE),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("flate2", &["token/endpoint", "proxy", "emulator"]),
    ("form_urlencoded", &["provider", "emulator"]),
    ("futures_util", &["server", "proxy", "emulator"]),
    ("glob", &["config"]),
    ("h2", &["egress"]),
    ("http", EVERYWHERE),
    ("http_body", &["server", "egress", "proxy"]),
    ("http_body_util", &["egress", "proxy", "app/remote.rs"]),
    ("httparse", &["egress", "fuzz"]),
    ("httpdate", &["provider", "emulator"]),
    ("humantime", &["config", "provider", "telemetry", "admin"]),
    ("hyper", &["server", "egress"]),
    ("hyper_util", &["server", "egress"]),
    ("memchr", &["provider", "egress"]),
    // Of the program alone, which is no room.
    ("mimalloc", &["main.rs"]),
    (
        "percent_encoding",
        &["message", "config", "provider", "fuzz"],
    ),
    ("prometheus_client", &["telemetry"]),
    ("rcgen", &["tls"]),
    ("reqwest", &["token"]),
    ("rustix", &["server", "secret", "telemetry"]),
    ("rustls", &["tls"]),
    ("rustls_pki_types", &["secret", "tls"]),
    ("rustls_platform_verifier", &["tls"]),
    ("secrecy", &["secret"]),
    (
        "serde",
        &[
            "config",
            "provider",
            "telemetry",
            "token",
            "admin",
            "emulator",
        ],
    ),
    (
        "serde_json",
        &[
            "provider",
            "telemetry",
            "token",
            "proxy",
            "admin",
            "emulator",
            "cli",
            "fuzz",
        ],
    ),
    ("smallvec", &["telemetry", "server", "message", "proxy"]),
    ("socket2", &["server", "egress"]),
    ("tempfile", &["secret"]),
    ("thiserror", EVERYWHERE),
    ("tokio", EVERYWHERE),
    ("tokio_rustls", &["server", "egress"]),
    (
        "tokio_util",
        &["server", "egress", "app", "cli/signals.rs", "emulator"],
    ),
    ("toml", &["config"]),
    ("tower", &["proxy/stack.rs", "server", "egress"]),
    ("tracing", EVERYWHERE),
    ("tracing_subscriber", &["telemetry"]),
    ("url", &["message"]),
    ("webpki_roots", &["tls"]),
    ("x509_parser", &["tls"]),
];
const EVERYWHERE: &[&str] = &[""];

/// Must not be in the program at all.
pub(super) const BANNED: &[&str] = &[
    "openssl-sys",
    "native-tls",
    "ring",
    "rustls-pemfile",
    "instant",
];
/// Must be there in one version only.
pub(super) const SINGLE: &[&str] = &["hyper", "rustls", "reqwest", "h2"];

pub(super) const PROVIDERS: &[&str] = &[
    "salesforce",
    "zilliant",
    "zuora",
    "marketing-cloud",
    "marketing-cloud-legacy",
    "oauth2",
];
