//! UA-02xx to UA-05xx: answers that the proxy makes itself.

use super::Code;

macro_rules! codes {
    ($($name:ident $id:literal $title:literal $explain:literal)*) => {
        /// Every code of this file, in order.
        pub(super) const REQUEST: &[&Code] = &[$(&$name),*];
        $(
            #[doc = $title]
            pub const $name: Code = Code { id: $id, title: $title, explain: $explain };
        )*
    };
}

codes! {
    MALFORMED "UA-0201" "the request is malformed"
        "The request is ambiguous or breaks HTTP: several Host fields, a Connection field that names Host or framing \
         fields, a target that is not a path, or user information in the host. Mend the client; nothing was sent upstream."
    WRONG_HOST "UA-0202" "the Host of the request is not one this proxy answers to"
        "A web page could drive this proxy through a name of its own that resolves to it (DNS rebinding), so only known \
         host names are served: loopback names and addresses, *.localhost and the listeners' own names. To serve another name, \
         add it to [access] hosts."
    CROSS_SITE "UA-0203" "a web page of another origin may not use this proxy"
        "The request comes from a browser page of another origin (Origin or Sec-Fetch-Site says so). Pages are refused because \
         any page could otherwise act with the upstream's credential. To allow one, add its origin to [access] origins. Or a browser opens this \
         (Upgrade-Insecure-Requests) by a name that is served over plain http without keys, where it does not say which page, if any, sent it: \
         open it by https or at localhost."
    NO_ROUTE "UA-0204" "no upstream answers at this path"
        "The path does not begin with the name of an upstream, and there is neither a single upstream nor a [server] default; or it \
         led to an upstream that a reload took away, whose requests a single one gets only if it is that default. \
         Paths are /NAME/...; `upauth env NAME` prints the address of an upstream."
    METHOD_DENIED "UA-0205" "this method is not allowed here"
        "The upstream or route is limited to certain methods (methods, read_only), or the method is never forwarded (TRACE, CONNECT)."
    PATH_DENIED "UA-0206" "this path is not allowed here"
        "A deny rule of the upstream or route matches a reading of the path (raw, decoded, dot segments removed, without .json or .xml), or the path has \
         too many of them, or allow is given and does not cover it. \
         Or one of them leads, by `..`, out of the path that api_url puts in front of every call."
    LOGIN_CALL "UA-0207" "login, logout and session calls are not forwarded"
        "The provider's login, logout, introspect and session-minting calls would hand out or end the proxy's own session, so they are not \
         forwarded. The usual ones are answered here instead (local_login, on by default); this is another one, or another method or spelling, \
         or local_login = false. So is Salesforce's executeAnonymous, which runs code of the caller's that can tell the session. Drop it from the \
         client, or list the call in allow if you mean it."
    NOT_BUILT "UA-0208" "this version does not serve this kind of request"
        "The request needs something this version does not have yet: WebSocket or CONNECT. It is refused, because forwarding it \
         would not work or would not be safe. Or a browser asks for the script of a service worker (Service-Worker: script) by a path, where it \
         would stand before every upstream of the same origin: open the upstream at NAME.localhost, or at a host or listener of its own."
    READ_ONLY "UA-0209" "this upstream is read-only"
        "read_only = true lets GET, HEAD and OPTIONS pass, without a method override, and none that runs code (Salesforce's executeAnonymous and \
         runTests...)."
    SOAP "UA-0210" "SOAP calls are not served by this version"
        "A SOAP session travels inside the body, and so does a SOAP login. This version does neither look nor write there, so that no login can \
         slip through: SOAP paths are refused. Use the REST or Bulk API."
    METHOD_OVERRIDE "UA-0211" "a method override is not allowed here"
        "The upstream or route is limited to certain methods, and the request asks the upstream to read it as another one \
         (X-HTTP-Method-Override, _HttpMethod). Send the method itself."
    NOT_MEANT "UA-0212" "what changes something needs the field X-Upauth-Admin"
        "A POST to the admin listener came without `X-Upauth-Admin: 1`. The field shows that the request is meant: no web page can \
         send it. Add it: curl -X POST -H 'X-Upauth-Admin: 1' ..., or ask by `upauth reload`, `upauth retry NAME` or `upauth token renew NAME`."
    KEY_MISSING "UA-0220" "no key for this proxy came with the request"
        "[access] keys are configured, so every caller must show one: in X-Upauth-Key, as Authorization: Bearer, as the password of Basic, or \
         as the client_secret or password of a login that is answered here. The answer is 403, never 401: what is missing is no \
         credential of the API."
    KEY_WRONG "UA-0221" "the key is not one of those known here"
        "What came as a credential is none of the [access] keys. Compare digests: printf %s KEY | sha256sum gives the sha256 of its entry. A \
         credential of the API itself is of no use here; the proxy has its own. In a login the key is the client_secret, or the password, with \
         or without a security token behind it; a login by a signed assertion (JWT, SAML) holds no key, so send X-Upauth-Key with every call."
    KEY_SCOPE "UA-0222" "the key is not for this upstream"
        "The entry of this key in [access] keys names other upstreams. Add this one to its `upstreams`, or use another key."
    KEY_READ_ONLY "UA-0223" "the key may only read"
        "The entry of this key in [access] keys has read_only = true: GET, HEAD and OPTIONS pass, without a method override, and none \
         that runs code (Salesforce's executeAnonymous and runTests...)."
    LOGIN_GRANT "UA-0224" "a login of this kind cannot be answered here"
        "upauth answers the provider's login calls itself, with a placeholder for a token (local_login), but not by this grant, or the \
         request names none: is it encoded as the provider wants it? The device flow needs a person's approval, which only the provider can ask for."
    TOKEN_REFUSED "UA-0301" "the token endpoint refused the credentials of this upstream"
        "The provider said that the client, user, password or policy is wrong. upauth does not try again at once, because every try counts \
         towards a lock-out. Mend the credentials; `upauth check --live NAME` shows what the provider said. A secret that changed is noticed within ten \
         seconds, `upauth retry NAME` tries at once."
    TOKEN_UNAVAILABLE "UA-0302" "no token could be had from the token endpoint in time"
        "The token endpoint is unreachable, slow, overloaded or answers nonsense. upauth goes on trying with back-off; the request can be sent again later."
    TOKEN_SOURCE "UA-0303" "a secret or an authority (ca) of this upstream could not be read"
        "A file or program that a secret, or a file that ca refers to, is missing or failed; nothing was sent. upauth tries again at intervals, so no \
         restart is needed. `upauth status`, `upauth check` and the log name the place."
    TARGET_REFUSED "UA-0304" "the token answer names a host or org that is not allowed"
        "The host in the token endpoint's answer (instance_url) is not on the upstream's allow-list, so the token was thrown away. \
         If the host is right, write it into instance_hosts. Where environment is set, the host may be of the other one. Where expect_org is set, the token of another org is thrown away too: the log \
         names the org; log in at the right one, or correct expect_org."
    TOKEN_STORE "UA-0305" "the store of refresh tokens does not work"
        "This upstream logs in with a refresh token that may have a successor, and where neither can be stored, none is used: the grant would \
         be lost. The log and `upauth status` say what is wrong with the folder of [store]: full, not writable, gone, damaged. upauth tries \
         again at intervals; upstreams without a refresh token are served."
    CANNOT_CONNECT "UA-0401" "the upstream cannot be reached"
        "No connection could be made: name resolution, TCP or TLS failed. The log says which."
    UPSTREAM_TIMEOUT "UA-0402" "the upstream did not answer in time"
        "No answer began within response_timeout. The upstream may have acted on the request."
    UPSTREAM_BROKE "UA-0403" "the upstream ended the connection or answered nonsense"
        "The connection broke before an answer began, or the answer was not HTTP. Unless the log says otherwise the upstream may have acted on the request."
    ADDRESS_REFUSED "UA-0404" "the upstream's name resolves to an address that is not allowed"
        "A host that only a wildcard allowed must resolve to public addresses. To reach a private one, write the host exactly into instance_hosts."
    LOOP "UA-0501" "the request has already passed this proxy"
        "The upstream's address leads back to this proxy (its own mark stands in Via)."
    OVERLOAD "UA-0502" "the proxy is at its limit of requests"
        "[server.limits] requests_in_flight or buffer_bytes is used up; or this is a login that had shown no key when too many others began. The \
         request can be sent again later."
    INTERNAL "UA-0503" "the proxy failed"
        "A defect of upauth. The log has the request id; please report it."
    CALLER_TOO_SLOW "UA-0504" "the request's body did not arrive in time"
        "The caller began a request and did not finish it within the limits."
    DRAINING "UA-0505" "the proxy is shutting down"
        "Send the request again; another instance will answer."
}
