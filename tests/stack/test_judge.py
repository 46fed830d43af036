"""The judge catches what it is there for. A pass-through stands in for the worker; each test breaks it in one way."""

from judge import Arrival, judge

KEYS, EACH = 50, 40


def written():
    return {f"k{key}": {sequence: f"in/{key % 4}/{key * EACH + sequence}" for sequence in range(EACH)} for key in range(KEYS)}


def passed_through():
    arrivals = []
    for sequence in range(EACH):
        for key, positions in written().items():
            arrivals.append(Arrival(key, sequence, positions[sequence]))
    return arrivals


def test_a_faithful_pass_through_is_sound():
    verdict = judge(written(), passed_through())
    assert verdict.is_sound and not verdict.duplicates, verdict


def test_a_single_lost_record_is_named():
    arrivals = [arrival for arrival in passed_through() if (arrival.key, arrival.sequence) != ("k7", 39)]
    assert judge(written(), arrivals).lost == ["k7#39"]


def test_two_records_of_a_key_in_the_wrong_order_are_named():
    arrivals = passed_through()
    first, second = [index for index, arrival in enumerate(arrivals) if arrival.key == "k3"][10:12]
    arrivals[first], arrivals[second] = arrivals[second], arrivals[first]
    assert judge(written(), arrivals).reordered == ["k3#10 after #11"]


def test_a_record_from_nowhere_and_one_with_a_false_source_are_named():
    arrivals = passed_through()
    arrivals.append(Arrival("k3", EACH, "in/0/0"))
    arrivals[0] = Arrival("k0", 0, "in/9/9")
    verdict = judge(written(), arrivals)
    assert verdict.invented == ["k3#40"]
    assert verdict.mislabelled == ["k0#0 says in/9/9, was in/0/0"]


def test_a_repetition_is_a_duplicate_of_its_source_and_no_reordering():
    arrivals = passed_through()
    arrivals.append(arrivals[0])
    arrivals.append(Arrival("k1", 5, "in/1/45"))
    verdict = judge(written(), arrivals)
    assert verdict.is_sound
    assert verdict.duplicates == [(0, 0), (1, 45)]
    assert verdict.duplicates_outside({1: range(45, 50)}) == [(0, 0)]
    assert verdict.duplicates_outside({0: range(1, 9), 1: range(45)}) == [(0, 0), (1, 45)]
