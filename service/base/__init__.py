"""What every package uses: errors, settings, logging, telemetry, clock, identifiers, money, pagination."""
