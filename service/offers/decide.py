"""The decision itself."""

from dataclasses import dataclass

from service.offers.candidates import Candidate, generate
from service.offers.explain import Offer, explain
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
    chosen: list[Candidate] = []
    withheld: dict[WithheldCode, int] = {}
    for candidate in generate(facts):
        objection = first_objection(candidate.product, facts)
        if objection is not None:
            withheld[objection] = withheld.get(objection, 0) + 1
            continue
        chosen.append(candidate)
        if len(chosen) == facts.limit:
            break
    source = chosen[0].source.name if chosen else Source.POPULAR
    return Decision(source, explain(chosen, facts.shelf), withheld)
