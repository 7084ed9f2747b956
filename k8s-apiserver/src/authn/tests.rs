use super::*;
use in_process::InProcess;

async fn identify(request: http::request::Builder) -> Option<User> {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Authentication::new().identify(&parts).await
}

#[tokio::test]
async fn without_credentials_one_is_anonymous() {
    let user = identify(http::Request::builder()).await.unwrap();
    assert_eq!(user.name, "system:anonymous");
    assert_eq!(user.groups, ["system:unauthenticated"]);
}

#[tokio::test]
async fn an_unknown_token_is_refused_rather_than_anonymous() {
    assert_eq!(
        identify(http::Request::builder().header("authorization", "Bearer abc")).await,
        None
    );
    assert_eq!(
        identify(http::Request::builder().header("authorization", "bearer abc")).await,
        None
    );
}

#[tokio::test]
async fn whoever_is_known_is_in_the_group_of_the_authenticated() {
    let request = http::Request::builder().extension(InProcess::new(User::new("jane")));
    assert_eq!(
        identify(request).await.unwrap(),
        User::new("jane").in_group("system:authenticated")
    );
}

struct Token;

#[async_trait]
impl Authenticator for Token {
    async fn authenticate(&self, request: &Parts) -> Result<Option<User>, BadCredential> {
        match request
            .headers
            .get("authorization")
            .map(|value| value.as_bytes())
        {
            Some(b"Bearer good") => Ok(Some(User::new("builder"))),
            Some(_) => Err(BadCredential("unknown token".into())),
            None => Ok(None),
        }
    }
}

#[tokio::test]
async fn further_authenticators_join_the_chain() {
    let authn = Authentication::new().with(Token);
    let parts = |token: &str| {
        let request = http::Request::builder().header("authorization", format!("Bearer {token}"));
        request.body(()).unwrap().into_parts().0
    };
    assert_eq!(
        authn.identify(&parts("good")).await.unwrap().name,
        "builder"
    );
    assert_eq!(authn.identify(&parts("bad")).await, None);
}
