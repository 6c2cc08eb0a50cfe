//! UA-01xx: problems of the configuration.

use super::Code;

macro_rules! codes {
    ($($name:ident $id:literal $title:literal $explain:literal)*) => {
        /// Every code of this file, in order.
        pub(super) const CONFIG: &[&Code] = &[$(&$name),*];
        $(
            #[doc = $title]
            pub const $name: Code = Code { id: $id, title: $title, explain: $explain };
        )*
    };
}

codes! {
    SYNTAX "UA-0101" "the file is not valid TOML"
        "The configuration could not be parsed. The line and column name the place; the most common causes are a missing \
         quotation mark, a key given twice, and a value without quotation marks."
    UNREADABLE "UA-0102" "the configuration file cannot be read"
        "The file does not exist, may not be read, or is not UTF-8. Without --config, proxy.toml in the current folder is read. `upauth init` writes one to \
         begin with."
    UNKNOWN_KEY "UA-0103" "the key does not exist"
        "Unknown keys are errors, because a misspelled key would otherwise be ignored in silence. proxy.toml, as shipped, names every key. \
         The line is quoted without the value: nobody knows whether that is a secret."
    NOT_IN_THIS_VERSION "UA-0104" "this is not in this version"
        "The key, value, provider or grant is planned, but this version does not do it yet. A key is accepted only when what it does \
         is built, so that nothing you rely on is ignored in silence. Remove it, or use a version that has it."
    WRONG_TYPE "UA-0105" "the value has the wrong type"
        "The key expects another kind of TOML value: text in quotation marks, true or false, a number, a list in [ ], or a table in { }."
    MISSING_KEY "UA-0106" "a required key is missing"
        "What a section cannot do without depends on its provider and grant. The problem names the key and an example of its value."
    UNKNOWN_PROVIDER "UA-0107" "there is no provider with this name"
        "provider says which API the upstream is. This version has salesforce, zilliant, zuora, marketing-cloud, \
         marketing-cloud-legacy and oauth2 (any OAuth 2.0 server, by description)."
    BAD_VALUE "UA-0108" "the value is not one of those allowed"
        "The key takes one of a few words, or a text of a certain form. The problem names them."
    BAD_NAME "UA-0109" "the name cannot be used"
        "Names of upstreams and routes consist of 1 to 40 lower-case letters, digits and hyphens: they become part of paths, host names \
         and metrics."
    SHADOWING_NAME "UA-0110" "the name would hide a path of the API"
        "An upstream answers at /NAME/... An upstream whose name is also the first part of an API's paths (services, id, v1, oauth ...) \
         would catch calls that mean the API. Choose another name."
    UNKNOWN_UPSTREAM "UA-0111" "there is no upstream with this name"
        "A route or [server] default names an upstream that has no [upstream.NAME] section."
    TWO_REFERENCES "UA-0112" "the value refers to two places"
        "A value comes from one place: { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", ...] }. Remove all but one."
    MISSING_ENV "UA-0113" "an environment variable is not set"
        "A value refers to an environment variable, by { env = \"NAME\" } or ${NAME}, that the process does not have. Set it, or give a \
         default: ${NAME:-default}. To write ${ itself, double the dollar sign: $${."
    BAD_REFERENCE "UA-0114" "the reference cannot be understood"
        "Inside text, ${NAME} and ${NAME:-default} stand for environment variables, and $${ for ${ itself. Instead of text, a value may be \
         { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", \"ARGUMENT\"] }. Files, such as certificates, are always { file = \"PATH\" }."
    UNREADABLE_REFERENCE "UA-0115" "what a reference points to cannot be read"
        "A file is missing or empty or may not be read by the user who runs upauth, or a program failed, took longer than 10 s or printed nothing. Credentials (client_id, client_secret, \
         username, password, security_token, private_key, refresh_token) are read at each login: `upauth check` reports this as a problem, `upauth run` starts all the \
         same, shows the upstream as unavailable and tries again. Every other value is needed when the configuration is read: \
         nothing is started."
    NOT_AN_ORIGIN "UA-0116" "the value is not an origin"
        "An origin is scheme, host and port, such as https://acme.my.salesforce.com. It has no path, query or user name: the provider knows \
         its token path, and callers bring the path of the API."
    HTTPS_REQUIRED "UA-0117" "https is required here"
        "Tokens and secrets would cross the network in plain text. http is accepted for loopback addresses and for hosts that the \
         upstream names in plain_http."
    LOGIN_HOST "UA-0118" "this is not a host to log in at"
        "Salesforce serves the client credentials flow on the org's own My Domain host only, never on login.salesforce.com or \
         test.salesforce.com; and the hosts a browser shows (*.lightning.force.com) give no tokens at all. Write login_url = \"https://YOUR-DOMAIN.my.salesforce.com\" (Setup, My Domain). \
         Of the hosts of a Marketing Cloud tenant only SUBDOMAIN.auth.marketingcloudapis.com gives tokens."
    BAD_LISTEN "UA-0119" "the listener's address cannot be used"
        "A listener is ADDRESS:PORT, where ADDRESS is an IP address (IPv6 in brackets) or localhost, which stands for 127.0.0.1 and [::1]. \
         Other host names are not resolved: what they mean may change. Port 0 takes a free port. \"unix:PATH\" is a unix socket."
    NOT_LOOPBACK "UA-0120" "a listener that others can reach needs an explicit word"
        "Whoever reaches the proxy acts with the upstream's credential. Listen on localhost; or ask callers for keys ([access] keys; \
         `upauth key NAME` makes one) or for certificates (tls with client_ca); or, if something else keeps strangers away (a firewall, a network policy, an authenticating proxy \
         in front), say so by [access] open = true. The admin listener knows no keys, and neither opens it: whoever reaches it can have the proxy \
         log in anew and reload. Let it be on localhost or a unix socket; for probes and metrics from elsewhere use [admin] health_listen, which may be anywhere."
    SAME_ADDRESS "UA-0121" "two listeners want the same address"
        "Each listener needs a port, or a unix socket, of its own. 0.0.0.0 and [::] cover all addresses of their family."
    BAD_DURATION "UA-0122" "the value is not a usable duration"
        "A duration is text with a unit, such as \"500ms\", \"30s\", \"5m\" or \"2h\", of at most 24 h. Zero is accepted only where the \
         documentation says what it means."
    BAD_NUMBER "UA-0123" "the number is out of range"
        "Sizes are bytes or text such as \"64KiB\", \"1MiB\", \"1GiB\"; counts are whole numbers. The problem names the range."
    BAD_HOST "UA-0124" "the value is not a host name"
        "A host is a name or address without scheme, port or path; instance_hosts also takes host:port and *.suffix."
    BAD_RULE "UA-0125" "the path rule cannot be understood"
        "A rule is [METHOD ]/segment/*/**, where * stands for one segment and ** for any rest. METHOD is one of those that are \
         forwarded: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS. There are no regular expressions."
    BAD_METHOD "UA-0126" "the method cannot be used"
        "GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS, in capitals: no other method is ever forwarded, so a rule for it would do nothing."
    BAD_HEADER "UA-0127" "the header cannot be set or removed here"
        "set_headers and remove_headers are for fields of the API. Host, fields that frame a message or belong to one connection, and \
         fields that carry a credential are the proxy's own business."
    DOES_NOT_APPLY "UA-0128" "the key does not apply here"
        "The key exists, but not for this provider or grant; it would be ignored. Remove it, or choose the grant it belongs to."
    NO_UPSTREAM "UA-0129" "there is no upstream"
        "A proxy without an upstream serves nothing. Add an [upstream.NAME] section with provider, login_url and credentials."
    SAME_PLACE "UA-0130" "two upstreams or routes want the same place"
        "A request could not be assigned: two of them have the same host name, or two routes have the same path on the same host."
    PLAIN_SECRET "UA-0131" "a secret is written in the file"
        "Configuration files are copied, committed and shown around. Write { env = \"NAME\" }, { file = \"PATH\" } or \
         { command = [\"PROGRAM\", \"ARGUMENT\"] } instead. This is a warning; it is not given where the token endpoint is on this machine."
    WRONG_ENVIRONMENT "UA-0132" "the host belongs to the other environment"
        "environment says whether an upstream is a sandbox or production, and the name of the host says otherwise. Sandboxes and scratch \
         orgs log in at test.salesforce.com or at a My Domain host with .sandbox. or .scratch. in it; everything else, developer editions \
         included, counts as production. A token answer that names a host of the other kind is refused, too."
    PRIVATE_KEY "UA-0133" "the private key cannot be used"
        "jwt_bearer and private_key_jwt sign with a private key in PEM, without a password: RSA of at least 2048 bits for RS256 \
         (-----BEGIN PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----), an EC key on P-256 for ES256. Key stores (PKCS#12, .p12, .pfx, .jks) \
         and encrypted keys must be converted first; the problem names the command."
    EXPOSED_SECRET "UA-0134" "everybody on the machine can read a secret"
        "A file that the configuration reads a secret from, or a configuration file with a secret in it (the sha256 of a key is one: who reads it can make the placeholder that the proxy takes for the key), has a mode that lets everybody on the \
         machine read it, and every folder above it lets everybody in: chmod 600 FILE, as the user that runs upauth. This is a warning, for a mode does not say who else there is: secrets \
         that Kubernetes and Docker mount are readable by everybody in the container, which is usually upauth alone. There, defaultMode: 0440 with an fsGroup \
         (Kubernetes) or mode: 0400 with a uid (Docker) ends the warning."
    CHANGEABLE_FILE "UA-0135" "everybody on the machine can change a file of the configuration"
        "Whoever changes the configuration decides where tokens are sent and which programs run as upauth's user; whoever changes a file that it \
         names decides who upauth logs in as, or whom it trusts. chmod o-w FILE. This is a warning, for a mode does not always say who may: where a folder of a system without modes \
         is mounted (from Windows, or by some network file systems), every file shows 0777 and chmod does nothing. Who may write there is decided on that system."
    PLAIN_NAME "UA-0136" "pages can call by a name that is served over plain http without keys"
        "Browsers say of which page a request is to https and to localhost alone. By another name over plain http, links, forms and \
         frames of foreign pages are refused by other signs, but an image of any page that a browser on this network shows can have a GET sent with the \
         upstream's credential; what is answered, the page does not learn. Ask callers for keys ([access] keys), which no page knows, or serve https (tls; or public_url, where \
         a proxy in front ends it). This is a warning, for there may be no browsers there."
    NO_LISTENER "UA-0137" "nothing listens for callers"
        "[server] listen is empty, which switches off the listener that leads to every upstream, and no upstream and no route has a listener of its own: \
         nobody could call. Remove the line, for localhost:7717; or write an address; or give an upstream or a route `listen`."
    TWO_PLACES "UA-0138" "a route has a listener and a host"
        "A route is at a path, at a host or at a listener, and path and host, or path and listener, narrow each other. Host and listener do not: each \
         would lead to the route by itself, so that one meant for a private socket could be reached at the common port by whoever writes its Host, which \
         is the caller's word and no boundary. Keep one, or write two routes."
    WAY_AROUND "UA-0139" "an upstream answers where less is asked for than at its own listener"
        "An upstream's own listener asks for a certificate (client_ca), or is a unix socket that only a user and a group may connect to; and the upstream answers at \
         [server] listen as well (localhost:7717, if nothing is written), at /NAME/... and at NAME.localhost, where no certificate is asked for, or nothing at all. \
         Ask for the same there; or switch it off (listen = \"\"); or write a socket into a [route.NAME] of the upstream, which then is nowhere else. \
         This is a warning, for both may be meant."
    BAD_INCLUDE "UA-0140" "a file cannot be included"
        "include names files or patterns, relative to the configuration's folder. They are read in the order of their names, and hold \
         [upstream.NAME] and [route.NAME] sections only; everything else stands in the configuration itself. A name without * must exist; a pattern that matches nothing is a warning, \
         but not a folder that the user who runs upauth may not list: what it holds would be taken away."
    BAD_PROXY "UA-0141" "the outbound proxy cannot be used"
        "proxy is \"env\" (HTTPS_PROXY and NO_PROXY), \"off\", or { url, username, password, except }. The proxy is spoken to in plain http \
         and asked to CONNECT to https targets, so it sees names and ports and no token; SOCKS proxies and proxies that are themselves \
         spoken to over https are not supported. Where the environment names such a one, targets are reached directly."
    RULE_WITH_PREFIX "UA-0142" "a path rule begins with what rules do not see"
        "deny and allow are matched against the path that the API has below api_url: without the /NAME of the upstream, without the path of the route, and without the path in \
         api_url. A rule that begins with one of these matches hardly anything: a deny would deny nothing, an allow allow nothing. Write it without: the problem says how. This is a warning, \
         for an API can have such paths of its own."
    LOST_RULES "UA-0143" "deny replaces rules of [defaults.upstream]"
        "A key of an upstream replaces that of [defaults.upstream], lists too: rules that stand there and not here do not hold for this upstream. Write all that shall hold; deny = [] \
         says that none does. This is a warning, for it may be meant."
    READABLE_KEYS "UA-0144" "keys can be read on their way"
        "A listener that other machines can reach speaks plain http, and callers show keys there ([access] keys): whoever is on the way reads them, and can call with them from then on. \
         Serve https: tls of [server], or of the upstream for a listener of its own. Where a proxy in front of this one ends https, public_url = \"https://...\" says so. \
         This is a warning, for the network between may be encrypted or nobody's but your own."
    PLAIN_ORIGIN "UA-0145" "a page that can be changed on its way may use the proxy"
        "An entry of [access] origins lets the page of that origin call with the upstream's credential and read the answers. One that a browser loads over plain http from another \
         machine can be changed by whoever is on the way. Serve it by https; http on this machine (http://localhost:5173) needs none. This is a warning, for the network \
         between may be nobody's but your own."
    NO_KEYS "UA-0146" "nobody is let in"
        "[access] keys is a list without any key, as it is when the last one was taken back: every caller needs a key, and there is none that is right, so all of them are \
         answered with 403. Add a key (`upauth key NAME` makes one and its line); or remove `keys`, if callers shall need none. This is a warning, for nobody may be meant."
    BAD_KEY "UA-0150" "the caller key cannot be used"
        "sha256 is the SHA-256 digest of the key in 64 hexadecimal digits; the key itself is in no configuration. `upauth key NAME` makes a \
         random key and prints it with its line. For a key that you have: printf %s KEY | sha256sum (echo would add a line break)."
    SAME_KEY "UA-0151" "two caller keys cannot be told apart"
        "Two entries of [access] keys have the same name, or the same sha256. Give each caller a key and a name of its own: logs and metrics \
         name keys, and one key can then be taken back without the others."
    OPEN_AND_KEYS "UA-0152" "open and keys contradict each other"
        "With keys every caller must show one, on every listener; open = true lets callers from other machines in without. Remove one of them."
    RELOAD_REFUSED "UA-0160" "the configuration that was read again is not at work"
        "A reload puts a configuration to work as a whole or not at all: this one is wrong, or a new listener, certificate or log file cannot \
         be used. The running proxy goes on with the one it had. Mend it and reload again; `upauth check` says what is wrong with a file."
    VOLATILE_GRANT "UA-0170" "the grant would be lost when the process ends"
        "This login uses refresh tokens that are replaced when they are used. Only the newest is good for anything, so it must outlive the \
         process: write [store] with kind = \"file\". For a Salesforce refresh token that the org does not rotate, rotates = \"never\" says so, \
         and no store is needed."
}
