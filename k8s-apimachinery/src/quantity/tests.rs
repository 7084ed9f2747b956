use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, canonical: &str) {
    let quantity: Quantity = text.parse().unwrap();
    assert_eq!(quantity.to_string(), canonical, "of {text}");
    let again: Quantity = canonical.parse().unwrap();
    assert_eq!(
        (again, again.to_string().as_str()),
        (quantity, canonical),
        "of {text}"
    );
}

#[test]
fn is_written_without_fraction_in_the_family_it_came_in() {
    let rows = [
        ("0", "0"),
        ("0Gi", "0"),
        ("-0", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("007", "7"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("100m", "100m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("1024", "1024"),
        ("1000000", "1M"),
        ("0.1M", "100k"),
        ("-1.5", "-1500m"),
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Mi", "512Ki"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1000Ki", "1000Ki"),
        ("1.1Gi", "1181116006400m"),
        ("-2Gi", "-2Gi"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("12e6", "12e6"),
        ("1e2", "100"),
        ("1e-3", "1e-3"),
        ("1E", "1E"),
        ("100E", "100E"),
        ("7Ei", "7Ei"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1.0000000001", "1000000001n"),
    ];
    for (text, canonical) in rows {
        check(text, canonical);
    }
}

#[test]
fn immoderate_amounts_are_cut_down() {
    let quantity: Quantity = "9999999999999999999999999999999999999999".parse().unwrap();
    assert_eq!(quantity.to_string(), "9223372036854775807");
    assert_eq!("-1e60".parse::<Quantity>().unwrap().value(), -i64::MAX);
}

#[test]
fn long_fractions_round_up_whatever_the_suffix() {
    let nanos = |text: &str| text.parse::<Quantity>().unwrap().to_string();
    for suffix in ["Ki", "Ei", "k", "E"] {
        let least = format!("0.{}1{suffix}", "0".repeat(60));
        assert_eq!(nanos(&least), "1n", "{least}");
    }
    let written = "9.06752820021561030069387695122664599Ki";
    assert_eq!(nanos(written), "9285148877021n");
    assert_eq!(nanos("1.1e-2147483648"), "1e-9");
}

#[test]
fn values_round_away_from_zero() {
    let values = |text: &str| {
        let quantity: Quantity = text.parse().unwrap();
        (quantity.value(), quantity.milli_value())
    };
    assert_eq!(values("100m"), (1, 100));
    assert_eq!(values("-100m"), (-1, -100));
    assert_eq!(values("1n"), (1, 1));
    assert_eq!(values("2Gi"), (2 << 30, (2 << 30) * 1000));
    assert_eq!(values("9E"), (9_000_000_000_000_000_000, i64::MAX));
}

#[test]
fn complaints_are_kubernetes_own() {
    let error = |text: &str| text.parse::<Quantity>().unwrap_err();
    for text in ["", "m", "Gi", "x", ".", "1 Gi", "abc", "1GB", "1KI"] {
        assert_eq!(error(text), QuantityError::Format, "{text:?}");
    }
    assert_eq!(error("1.2.3"), QuantityError::Number);
    for text in ["1mi", "1Kii", "1K"] {
        assert_eq!(error(text), QuantityError::Suffix, "{text:?}");
    }
}

#[test]
fn compares_and_adds_by_amount() {
    let quantity = |text: &str| text.parse::<Quantity>().unwrap();
    assert_eq!(quantity("1Ki"), quantity("1024"));
    assert!(quantity("1G") < quantity("1Gi"));
    let mut sum = Quantity::ZERO;
    sum.add(quantity("512Mi"));
    sum.add(quantity("0.5Gi"));
    assert_eq!(sum.to_string(), "1Gi");
    sum.sub(quantity("2Gi"));
    assert_eq!(sum.to_string(), "-1Gi");
}

proptest! {
    #[test]
    fn the_canonical_form_is_a_fixed_point(
        text in "[+-]?[0-9]{1,12}(\\.[0-9]{0,10})?(n|u|m||k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]|E-[0-9])"
    ) {
        let quantity: Quantity = text.parse().unwrap();
        let canonical = quantity.to_string();
        let again: Quantity = canonical.parse().unwrap();
        prop_assert_eq!(again.to_string(), canonical);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,20}") {
        let _ = text.parse::<Quantity>();
    }

    #[test]
    fn order_is_that_of_the_amounts(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
        let of = |millis: i64| format!("{millis}m").parse::<Quantity>().unwrap();
        prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
    }
}
