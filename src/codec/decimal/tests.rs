use super::*;
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn text_is_kept_exactly() {
    for text in [
        "0",
        "-0.01",
        "137.50",
        "170141183460469231731687303715884105727",
        "-170141183460469231731687303715884105728",
        "0.000",
    ] {
        assert_eq!(d(text).to_string(), text);
    }
    assert_eq!(d("1.5e3").to_string(), "1500");
    assert_eq!(d("15E-4").to_string(), "0.0015");
    assert_eq!(d(".5").to_string(), "0.5");
    for wrong in [
        "",
        ".",
        "-",
        "1.2.3",
        "1e",
        "e1",
        "0x1",
        "1 ",
        "1e999999",
        "170141183460469231731687303715884105728",
    ] {
        assert!(Decimal::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_scale_out_of_the_data_is_bounded_and_its_text_ends_no_thread() {
    let variable = |scale: i64| Decimal::from_variable(scale, &[1]);
    assert_eq!(variable(2).unwrap().to_string(), "0.01");
    assert_eq!(variable(-2).unwrap().to_string(), "100");
    let most = variable(i64::from(SCALE_MAX)).unwrap().to_string();
    assert_eq!(most, format!("0.{}1", "0".repeat(SCALE_MAX as usize - 1)));
    for scale in [
        1_001,
        65_536,
        i64::from(i32::MAX),
        i64::MAX,
        -39,
        -1_001,
        i64::MIN,
    ] {
        assert_eq!(variable(scale), Err(DecimalFault::Overflow), "{scale}");
    }
    // Zero has no digits that a shift could lose.
    assert_eq!(Decimal::from_variable(-39, &[0]).unwrap().to_string(), "0");
    let text = Decimal::new(-1, 70_000).to_string();
    assert_eq!(text.len(), "-0.".len() + 70_000);
    assert!(
        text.starts_with("-0.000") && text.ends_with("001"),
        "zeros before the digit"
    );
}

#[test]
fn nothing_is_rounded_silently() {
    assert_eq!(d("1.50").rescale(1).unwrap().to_string(), "1.5");
    assert_eq!(d("1.55").rescale(1), Err(DecimalFault::Inexact));
    assert_eq!(d("1").rescale(39), Err(DecimalFault::Overflow));
    assert_eq!(
        d("0").rescale(39).unwrap().to_string(),
        format!("0.{}", "0".repeat(39))
    );
    assert_eq!(
        d("2.5")
            .round_to(0, Rounding::HalfEven)
            .unwrap()
            .to_string(),
        "2"
    );
    assert_eq!(
        d("-2.5").round_to(0, Rounding::HalfUp).unwrap().to_string(),
        "-3"
    );
    assert_eq!(d("-2.9").truncate(0).unwrap().to_string(), "-2");
    assert_eq!(d("10").div(d("3"), 4).unwrap().to_string(), "3.3333");
    assert_eq!(d("-1").div(d("8"), 2).unwrap().to_string(), "-0.12");
    assert_eq!(d("1").div(d("0.00"), 2), Err(DecimalFault::DivisionByZero));
    assert_eq!(
        Decimal::new(i128::MAX, 0).mul(d("2")),
        Err(DecimalFault::Overflow)
    );
    assert_eq!(
        Decimal::new(i128::MIN, 0).neg(),
        Err(DecimalFault::Overflow)
    );
    assert_eq!(
        Decimal::new(i128::MIN, 0).div(d("-1"), 0),
        Err(DecimalFault::Overflow)
    );
}

#[test]
fn every_mode_rounds_as_its_name_says() {
    use Rounding::{Ceiling, Down, Exact, Floor, HalfDown, HalfEven, HalfUp, Up};
    // As the table in the documentation of Java's `RoundingMode`.
    for (mode, rounded) in [
        (Up, ["6", "3", "2", "2", "1", "-1", "-2", "-2", "-3", "-6"]),
        (
            Down,
            ["5", "2", "1", "1", "1", "-1", "-1", "-1", "-2", "-5"],
        ),
        (
            Ceiling,
            ["6", "3", "2", "2", "1", "-1", "-1", "-1", "-2", "-5"],
        ),
        (
            Floor,
            ["5", "2", "1", "1", "1", "-1", "-2", "-2", "-3", "-6"],
        ),
        (
            HalfUp,
            ["6", "3", "2", "1", "1", "-1", "-1", "-2", "-3", "-6"],
        ),
        (
            HalfDown,
            ["5", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-5"],
        ),
        (
            HalfEven,
            ["6", "2", "2", "1", "1", "-1", "-1", "-2", "-2", "-6"],
        ),
    ] {
        let inputs = [
            "5.5", "2.5", "1.6", "1.1", "1.0", "-1.0", "-1.1", "-1.6", "-2.5", "-5.5",
        ];
        for (input, expected) in inputs.iter().zip(rounded) {
            assert_eq!(
                d(input).round_to(0, mode).unwrap().to_string(),
                expected,
                "{mode:?} {input}"
            );
            let quotient = d(input).div_round(d("1"), 0, mode).unwrap();
            assert_eq!(quotient.to_string(), expected, "{mode:?} {input}");
        }
    }
    assert_eq!(d("1.10").round_to(1, Exact).unwrap().to_string(), "1.1");
    assert_eq!(d("1.11").round_to(1, Exact), Err(DecimalFault::Inexact));
    assert_eq!(
        d("1250").round_to(-2, HalfEven).unwrap().to_string(),
        "1200"
    );
    assert_eq!(
        Decimal::new(1, 500).round_to(2, Up).unwrap().to_string(),
        "0.01"
    );
    assert_eq!(
        Decimal::new(-1, 500)
            .round_to(0, Floor)
            .unwrap()
            .to_string(),
        "-1"
    );
    assert_eq!(
        Decimal::new(1, 0).div_round(Decimal::new(i128::MAX, 0), 40, Up),
        Ok(Decimal::new(59, 40))
    );
    assert_eq!(
        Decimal::new(0, 900).div_round(d("3"), 2, Up),
        Ok(Decimal::new(0, 2))
    );
    assert_eq!(
        d("10000000000000000000000000000000000000")
            .div(d("3"), 0)
            .unwrap()
            .to_string(),
        "3".repeat(37)
    );
}

#[test]
fn order_is_that_of_the_numbers() {
    assert!(d("1.0") == d("1.00"));
    assert!(d("170141183460469231731687303715884105727") > d("0.0000001"));
    assert!(d("-170141183460469231731687303715884105727") < d("0.0000001"));
    assert!(Decimal::new(1, 1000) > d("0"));
}

proptest! {
    #[test]
    fn bytes_come_back_and_are_the_fewest(unscaled in any::<i128>(), shift in 0u32..128) {
        let number = Decimal::new(unscaled >> shift, 3);
        let (bytes, start) = number.to_be_bytes();
        let bytes = &bytes[start..];
        prop_assert_eq!(Decimal::from_be_bytes(bytes, 3), Ok(number));
        if bytes.len() > 1 {
            prop_assert!(Decimal::from_be_bytes(&bytes[1..], 3) != Ok(number));
        }
        let mut padded = vec![if number.unscaled < 0 { 0xFF } else { 0 }; 20];
        padded.extend_from_slice(bytes);
        prop_assert_eq!(Decimal::from_be_bytes(&padded, 3), Ok(number));
    }

    #[test]
    fn sums_and_products_agree_with_integers(a in any::<i64>(), b in any::<i64>(), sa in 0u32..6, sb in 0u32..6) {
        let (x, y) = (Decimal::new(a.into(), sa), Decimal::new(b.into(), sb));
        prop_assert_eq!(x.add(y).unwrap().sub(y).unwrap(), x);
        prop_assert_eq!(x.mul(y).unwrap().unscaled, i128::from(a) * i128::from(b));
        prop_assert_eq!(Decimal::parse(&x.to_string()), Ok(x));
        let wide = 10i128.pow(6);
        let (wa, wb) = (i128::from(a) * wide / 10i128.pow(sa), i128::from(b) * wide / 10i128.pow(sb));
        prop_assert_eq!(x.cmp(&y), wa.cmp(&wb));
    }
}
