"""The periods of goals: a month, a quarter, a year, or days."""

from datetime import date, timedelta
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.base.request_body import RequestBody

MAX_PERIOD_DAYS: Final = 731
FIRST_YEAR: Final = 1980
LAST_YEAR: Final = 2200


def _check_year(text: str) -> str:
    if not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
        raise ValueError(f"is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return text


def _check_day(day: date) -> date:
    _check_year(f"{day.year:04}")
    return day


Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$"), AfterValidator(_check_year)]
Quarter = Annotated[str, StringConstraints(pattern=r"^\d{4}-Q[1-4]$"), AfterValidator(_check_year)]
Year = Annotated[str, StringConstraints(pattern=r"^\d{4}$"), AfterValidator(_check_year)]
Day = Annotated[date, AfterValidator(_check_day)]


class Days(NamedTuple):
    """The first and the last day of a period."""

    first: date
    last: date


class PeriodIn(RequestBody):
    """When sales count: `month`, `quarter` or `year`; or `from` and `until`, both included."""

    model_config = ConfigDict(json_schema_extra={"example": {"quarter": "2026-Q4"}})

    month: Month | None = Field(default=None, examples=["2026-11"])
    quarter: Quarter | None = Field(default=None, examples=["2026-Q4"])
    year: Year | None = Field(default=None, examples=["2026"])
    from_: Day | None = Field(default=None, alias="from", description="The first day.")
    until: Day | None = Field(default=None, description="The last day. At most 731 days in all.")

    @model_validator(mode="after")
    def check_kind(self) -> "PeriodIn":
        """Refuse what is no period, or several."""
        given = [self.month, self.quarter, self.year, self.from_ or self.until]
        if sum(part is not None for part in given) != 1:
            raise ValueError("Give either month, quarter, year, or from and until")
        if given[3] is not None and (self.from_ is None or self.until is None):
            raise ValueError("Give both from and until")
        first, last = self.days
        if last < first:
            raise ValueError("until is before from")
        if (last - first).days >= MAX_PERIOD_DAYS:
            raise ValueError(f"A period has at most {MAX_PERIOD_DAYS} days")
        return self

    @property
    def days(self) -> Days:
        """The first and the last day."""
        if self.from_ is not None and self.until is not None:
            return Days(self.from_, self.until)
        text = self.month or self.quarter or self.year or ""
        begin, n_months = 1, 12
        if self.month:
            begin, n_months = int(text[5:]), 1
        elif self.quarter:
            begin, n_months = 3 * int(text[6:]) - 2, 3
        year, end = int(text[:4]), begin + n_months
        return Days(date(year, begin, 1), date(year + (end > 12), (end - 1) % 12 + 1, 1) - timedelta(days=1))


class PeriodOut(BaseModel):
    """The period as it was written."""

    month: str | None = None
    quarter: str | None = None
    year: str | None = None
    from_: date | None = Field(default=None, alias="from")
    until: date | None = None
