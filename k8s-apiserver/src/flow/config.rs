//! What FlowSchemas and PriorityLevelConfigurations say, and which flow a request belongs to.

use std::collections::BTreeMap;

use http::HeaderValue;
use k8s_apimachinery::{
    Object, Value,
    api::flowcontrol::bootstrap::{self, Bootstrap},
};
use serde_json::json;

use super::{
    Digest,
    queue_set::{Discipline, Queuing},
    rule::Rule,
    seat::Share,
};

/// The name of the schema, and the level, for requests that no other schema wants.
pub(crate) const CATCH_ALL: &str = "catch-all";
/// The name of the schema, and the level, for requests that are never held up.
pub(crate) const EXEMPT: &str = "exempt";

/// The configuration of a server's flows: complete, since the mandatory objects are always there.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// In the order in which they are asked; the last one takes what is left.
    pub(crate) schemas: Vec<Schema>,
    /// By name.
    pub(crate) levels: BTreeMap<String, Level>,
}

/// A FlowSchema.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    /// Its name.
    pub(crate) name: String,
    /// Its uid, empty if no object says what it says.
    pub(crate) uid: HeaderValue,
    /// Its priority level.
    pub(crate) level: String,
    precedence: i64,
    distinguisher: Option<Distinguisher>,
    rules: Vec<Rule>,
}

/// What tells the flows of a schema apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Distinguisher {
    User,
    Namespace,
}

/// A PriorityLevelConfiguration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    /// Its name.
    pub(crate) name: String,
    /// Its uid, empty if no object says what it says.
    pub(crate) uid: HeaderValue,
    /// What it gets of the server's seats.
    pub(crate) share: Share,
    /// What becomes of those who find no seat.
    pub(crate) discipline: Discipline,
}

/// The flow of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId<'a> {
    /// The place of its schema in [`Config::schemas`].
    pub(crate) schema: usize,
    /// What tells it from the schema's other flows.
    pub(crate) distinguisher: &'a str,
}

impl Config {
    /// Reads the objects. Levels that contradict themselves don't count, nor do schemas without their
    /// level; mandatory ones that are missing are made up.
    pub(crate) fn new(schemas: &[Object], levels: &[Object]) -> Self {
        let mut config = Config {
            schemas: Vec::new(),
            levels: BTreeMap::new(),
        };
        let mandatory = |of: fn() -> Vec<Bootstrap>| of().into_iter().filter(|it| it.is_mandatory);
        let read = levels.iter().filter_map(Level::read);
        for level in mandatory(bootstrap::priority_levels)
            .filter_map(|it| Level::read(&imagined(it)))
            .chain(read)
        {
            config.levels.insert(level.name.clone(), level);
        }
        let mut read: Vec<Schema> = schemas.iter().map(Schema::read).collect();
        for it in mandatory(bootstrap::flow_schemas) {
            if !read.iter().any(|schema| schema.name == it.name) {
                read.push(Schema::read(&imagined(it)));
            }
        }
        read.retain(|schema| config.levels.contains_key(&schema.level));
        read.sort_by(|a, b| {
            // Validation keeps others from the ends of the range, but their order mustn't depend on it.
            let place = |schema: &Schema| match schema.name.as_str() {
                EXEMPT => 0,
                CATCH_ALL => 2,
                _ => 1,
            };
            (place(a), a.precedence, &a.name).cmp(&(place(b), b.precedence, &b.name))
        });
        config.schemas = read;
        config
    }

    /// Whether there is a level of that name: what a schema's status says.
    pub(crate) fn has_level(&self, name: &str) -> bool {
        self.levels.contains_key(name)
    }
}

/// Finds the flow of a request: of the first schema that is about it.
pub(crate) fn classify<'a>(config: &Config, digest: &Digest<'a>) -> FlowId<'a> {
    let last = config.schemas.len() - 1;
    let found = config
        .schemas
        .iter()
        .position(|schema| schema.rules.iter().any(|rule| rule.matches(digest)));
    let schema = found.unwrap_or(last);
    let distinguisher = match config.schemas[schema].distinguisher {
        None => "",
        Some(Distinguisher::User) => &digest.user.name,
        Some(Distinguisher::Namespace) => &digest.info.namespace,
    };
    FlowId {
        schema,
        distinguisher,
    }
}

impl Schema {
    fn read(object: &Object) -> Self {
        let spec = object.get(&["spec"]).unwrap_or(&Value::Null);
        let rules = spec["rules"].as_array().map_or(&[][..], Vec::as_slice);
        Schema {
            name: object.name().to_owned(),
            uid: uid(object),
            level: text(&spec["priorityLevelConfiguration"]["name"]),
            precedence: spec["matchingPrecedence"].as_i64().unwrap_or_default(),
            distinguisher: match spec["distinguisherMethod"]["type"].as_str() {
                Some("ByUser") => Some(Distinguisher::User),
                Some("ByNamespace") => Some(Distinguisher::Namespace),
                _ => None,
            },
            rules: rules.iter().map(Rule::read).collect(),
        }
    }
}

impl Level {
    /// None if what it says makes no sense; validation lets no such thing through.
    fn read(object: &Object) -> Option<Self> {
        let spec = object.get(&["spec"])?;
        let is_exempt = spec["type"].as_str() == Some("Exempt");
        if is_exempt != (object.name() == EXEMPT) {
            return None;
        }
        let (own, discipline) = match is_exempt {
            true => (&spec["exempt"], Discipline::Exempt),
            false => (
                &spec["limited"],
                discipline(&spec["limited"]["limitResponse"])?,
            ),
        };
        let number = |field: &str| own[field].as_u64().and_then(|it| u32::try_from(it).ok());
        Some(Level {
            name: object.name().to_owned(),
            uid: uid(object),
            share: Share {
                shares: number("nominalConcurrencyShares").unwrap_or_default(),
                lendable: number("lendablePercent").unwrap_or_default(),
                borrowing: number("borrowingLimitPercent"),
            },
            discipline,
        })
    }
}

fn discipline(response: &Value) -> Option<Discipline> {
    let queuing = &response["queuing"];
    let number = |field: &str| {
        let number = queuing[field].as_u64().filter(|it| *it > 0)?;
        usize::try_from(number).ok()
    };
    match response["type"].as_str()? {
        "Reject" => Some(Discipline::Reject),
        "Queue" => {
            let queuing = Queuing {
                queues: number("queues")?,
                hand: number("handSize")?,
                length: number("queueLengthLimit")?,
            };
            (queuing.hand <= queuing.queues).then_some(Discipline::Queue(queuing))
        }
        _ => None,
    }
}

/// A mandatory object, as if it were there.
fn imagined(it: Bootstrap) -> Object {
    let value = json!({"metadata": {"name": it.name}, "spec": it.spec});
    Object::from_value(value).expect("a map is an object")
}

fn uid(object: &Object) -> HeaderValue {
    let uid = object.str(&["metadata", "uid"]).unwrap_or_default();
    HeaderValue::from_str(uid).unwrap_or(HeaderValue::from_static(""))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RequestInfo, User};

    fn objects(all: Vec<Bootstrap>) -> Vec<Object> {
        all.into_iter().map(imagined).collect()
    }

    fn whole() -> Config {
        let (schemas, levels) = (bootstrap::flow_schemas(), bootstrap::priority_levels());
        Config::new(&objects(schemas), &objects(levels))
    }

    /// `schema level distinguisher`
    fn flow(config: &Config, user: &User, method: &str, uri: &str) -> String {
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let digest = Digest { user, info: &info };
        let FlowId {
            schema,
            distinguisher,
        } = classify(config, &digest);
        let Schema { name, level, .. } = &config.schemas[schema];
        format!("{name} {level} {distinguisher}")
            .trim_end()
            .to_owned()
    }

    #[test]
    fn the_suggested_schemas_sort_everybody() {
        let config = whole();
        let check = |user: &User, method: &str, uri: &str, expected: &str| {
            assert_eq!(
                flow(&config, user, method, uri),
                expected,
                "{} {uri}",
                user.name
            );
        };
        let known = |user: User| user.in_group("system:authenticated");
        let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l";
        let pods = "/api/v1/namespaces/a/pods";
        let root = known(User::new("root").in_group("system:masters"));
        check(&root, "GET", pods, "exempt exempt");
        let jane = known(User::new("jane"));
        check(&jane, "GET", pods, "global-default global-default jane");
        check(&jane, "GET", "/livez/ping", "probes exempt");
        check(
            &jane,
            "GET",
            "/version",
            "global-default global-default jane",
        );
        let node = known(User::node("n"));
        check(
            &node,
            "PUT",
            "/api/v1/nodes/n/status",
            "system-node-high node-high system:node:n",
        );
        check(&node, "GET", pods, "system-nodes system system:node:n");
        let scheduler = known(User::new("system:kube-scheduler"));
        check(
            &scheduler,
            "GET",
            lease,
            "system-leader-election leader-election system:kube-scheduler",
        );
        check(&scheduler, "GET", pods, "kube-scheduler workload-high a");
        let gc = known(User::service_account(
            "kube-system",
            "generic-garbage-collector",
        ));
        check(
            &gc,
            "GET",
            pods,
            "kube-system-service-accounts workload-high a",
        );
        let builder = known(User::service_account("ci", "builder"));
        check(
            &builder,
            "GET",
            pods,
            "service-accounts workload-low system:serviceaccount:ci:builder",
        );
    }

    #[test]
    fn the_mandatory_ones_are_there_without_objects() {
        let config = Config::new(&[], &[]);
        let names: Vec<&str> = config.schemas.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, [EXEMPT, CATCH_ALL]);
        assert_eq!(config.levels[CATCH_ALL].discipline, Discipline::Reject);
        let stranger = User::new("in no group");
        let found = flow(&config, &stranger, "GET", "/api/v1/pods");
        assert_eq!(found, "catch-all catch-all in no group");
    }

    #[test]
    fn precedence_decides_and_then_the_name() {
        let schema = |name: &str, precedence: i64, level: &str| {
            let rule = json!({
                "subjects": [{"kind": "Group", "group": {"name": "*"}}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            });
            let spec = json!({
                "matchingPrecedence": precedence, "priorityLevelConfiguration": {"name": level}, "rules": [rule],
            });
            Object::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
        };
        let levels = objects(bootstrap::priority_levels());
        let first = |schemas: &[Object]| {
            let config = Config::new(schemas, &levels);
            flow(&config, &User::new("jane"), "GET", "/version")
        };
        let (b, a) = (schema("b", 50, "system"), schema("a", 50, "system"));
        assert_eq!(first(&[b.clone(), a]), "a system");
        assert_eq!(first(&[b.clone(), schema("c", 49, "system")]), "c system");
        assert_eq!(first(&[b, schema("c", 49, "no-such-level")]), "b system");
    }

    #[test]
    fn a_level_that_contradicts_itself_is_none() {
        let level = |name: &str, spec: Value| {
            let value = json!({"metadata": {"name": name}, "spec": spec});
            Level::read(&Object::from_value(value).unwrap())
        };
        let limited =
            |response: Value| json!({"type": "Limited", "limited": {"limitResponse": response}});
        assert_eq!(level("a", json!({"type": "Exempt", "exempt": {}})), None);
        assert_eq!(level("exempt", limited(json!({"type": "Reject"}))), None);
        let queuing = json!({"queues": 2, "handSize": 3, "queueLengthLimit": 1});
        assert_eq!(
            level("a", limited(json!({"type": "Queue", "queuing": queuing}))),
            None
        );
        assert!(level("a", limited(json!({"type": "Reject"}))).is_some());
    }
}
