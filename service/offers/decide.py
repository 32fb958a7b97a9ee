"""The decision itself."""

from dataclasses import dataclass

from service.offers.candidates import generate
from service.offers.explanation import Chosen, Offer, explain
from service.offers.facts import Facts
from service.offers.reasons import Source, WithheldCode
from service.offers.rules import first_objection


@dataclass(frozen=True, slots=True)
class Decision:
    """What is offered, and how many candidates were withheld for which reason until the list was full."""

    source: Source
    offers: list[Offer]
    withheld: dict[WithheldCode, int]


def decide(facts: Facts) -> Decision:
    """Choose what is offered.

    Pure: no I/O, no clock, no chance. Candidates are examined best first until ``limit`` of them pass the rules.
    """
    if facts.is_objecting:
        return Decision(Source.NONE, [], {WithheldCode.OBJECTED: facts.limit})
    chosen: list[Chosen] = []
    withheld: dict[WithheldCode, int] = {}
    for product, score, source, place in generate(facts):
        objection = first_objection(product, facts)
        if objection is not None:
            withheld[objection] = withheld.get(objection, 0) + 1
            continue
        chosen.append((product, score, source.name, source.contributors(product, place)))
        if len(chosen) == facts.limit:
            break
    name = chosen[0][2] if chosen else Source.POPULAR
    return Decision(name, explain(chosen, facts.shelf), withheld)
