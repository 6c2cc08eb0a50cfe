//! Which addresses are of the public internet.

use std::net::IpAddr;

/// Whether `ip` is an address of the public internet: not private, loopback, link-local, shared, documentation,
/// benchmarking, multicast or unspecified (IANA special-purpose registries, RFC 6890).
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            // Only global unicast 2000::/3; within it no Teredo, documentation (RFC 3849, RFC 9637) or 6to4 detours.
            (a & 0xe000) == 0x2000
                && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
                && !(a == 0x3fff && b < 0x1000)
                && a != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let rows = [
            ("8.8.8.8", true),
            ("101.53.164.1", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("172.16.3.4", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2600:1f18::1", true),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
            ("64:ff9b::a00:1", false),
        ];
        for (ip, expected) in rows {
            assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn what_is_not_public_ends_where_the_registries_say() {
        let others = "0.255.255.255 100.64.0.0 100.127.255.255 192.0.0.255 192.0.2.1 198.18.0.0 198.19.255.255 \
            198.51.100.1 203.0.113.1 239.255.255.255 240.0.0.0 255.0.0.1 1fff::1 2001::1 2001:1ff::1 2001:db8:ffff::1 \
            2002::1 3fff::1 3fff:fff::1 4000::1";
        let public = "1.0.0.0 99.64.0.1 100.63.255.255 100.128.0.0 101.64.0.1 191.0.0.1 192.0.1.0 192.1.0.1 193.0.0.1 \
            197.18.0.1 198.17.255.255 198.20.0.0 199.18.0.1 223.255.255.255 2000::1 2001:200::1 2001:db7::1 2001:db9::1 \
            2003::1 2003:db8::1 2600:100::1 3ffe::1 3fff:1000::1";
        for (ips, expected) in [(others, false), (public, true)] {
            for ip in ips.split_whitespace() {
                assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
            }
        }
    }
}
