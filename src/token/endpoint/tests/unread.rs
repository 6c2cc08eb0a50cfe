//! Answers that say no and are not whole.

use super::*;
use crate::provider::RefusalRule;
use crate::provider::login::Value;
use crate::provider::refusal::Class;

#[tokio::test]
async fn a_refused_password_is_one_although_the_rest_of_the_answer_is_not_there() {
    let large = answer_with("401 No", &"x".repeat(post::BODY_MAX + 1));
    let cut = b"HTTP/1.1 401 No\r\ncontent-length: 50\r\n\r\nwrong".to_vec();
    let damaged = b"HTTP/1.1 401 No\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff";
    for script in [large, cut, damaged.to_vec()] {
        let (url, _served) = serve(vec![script.clone(), script]).await;
        let mut endpoint = endpoint(&url);
        let mut provider = Provider::clone(&endpoint.provider);
        let Login::Call(call) = &mut provider.login else {
            unreachable!("it is a call");
        };
        let password = Source::Value(Secret::new("a password"));
        let value = Value::Fields(vec![Field::Password]);
        call.parameters.insert(0, ("password".into(), value));
        call.sources.push((Field::Password, password));
        for what in [Refused::Client, Refused::Password] {
            provider.refusals = vec![RefusalRule::status(401, Class::Refused(what))];
            endpoint.provider = Arc::new(provider.clone());
            let failure = log_in(&endpoint).await.unwrap_err();
            let is_refused = matches!(failure, LoginFailure::Refused { .. });
            assert_eq!(is_refused, what == Refused::Password, "{failure}");
        }
    }
}
