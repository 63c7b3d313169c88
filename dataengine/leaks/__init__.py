"""What gives a label or a test set away: formats that differ by label, and what splits and stores share."""

from __future__ import annotations

from dataengine.leaks.formats import format_leaks as format_leaks
from dataengine.leaks.records import Leak as Leak
from dataengine.leaks.records import LeakReport as LeakReport
