/*
 * duration.c: units of time, durations, and all that plus and minus take.
 *
 * A duration is years, months, days and milliseconds: all but the last are counted by the calendar. Texts are read by PostgreSQL's interval parser.
 */
#include "postgres.h"

#include <math.h>

#include "expr/calendar.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

const WfTimeUnit wf_expr_time_units[WF_UNIT_NONE] = {
	{"year", "y", 0, 12},
	{"quarter", "qr", 0, 3},
	{"month", "mo", 0, 1},
	{"week", "w", 7 * MS_PER_DAY, 0},
	{"day", "d", MS_PER_DAY, 0},
	{"hour", "h", 3600000, 0},
	{"minute", "m", 60000, 0},
	{"second", "s", 1000, 0},
	{"millisecond", "ms", 1, 0},
};

/* `day`, `days`, `Day` or a shorthand; WF_UNIT_NONE for anything else. */
static WfUnit
unit_by_name(const char *name, uint32 len)
{
	for (int i = 0; i < WF_UNIT_NONE; i++)
	{
		uint32		full = strlen(wf_expr_time_units[i].name);

		if ((len == full || (len == full + 1 && (name[full] | 0x20) == 's')) &&
			pg_strncasecmp(name, wf_expr_time_units[i].name, full) == 0)
			return (WfUnit) i;
		if (len == strlen(wf_expr_time_units[i].shorthand) && pg_strncasecmp(name, wf_expr_time_units[i].shorthand, len) == 0)
			return (WfUnit) i;
	}
	return WF_UNIT_NONE;
}

/* Throws WF008 for what is no unit. */
WfUnit
wf_expr_to_unit(WfEval *ev, const WfValue *value)
{
	WfValue		text;
	WfUnit		unit;

	wf_expr_to_string(ev, value, &text);
	unit = unit_by_name(text.u.str, text.len);
	if (unit == WF_UNIT_NONE)
		wf_expr_throw_hint(ev, "Units are year, quarter, month, week, day, hour, minute, second, millisecond.",
						   "unknown unit of time \"%.*s\"", (int) Min(text.len, 32), text.u.str);
	return unit;
}

/* Adds an amount of a unit to a duration. */
void
wf_expr_add_unit(WfDuration *duration, WfUnit unit, double amount)
{
	if (unit == WF_UNIT_YEAR && amount == trunc(amount))
		duration->years += amount;
	else if (wf_expr_time_units[unit].months > 0)
	{
		double		months = amount * wf_expr_time_units[unit].months;

		duration->months += trunc(months);
		duration->days += (months - trunc(months)) * 30;
	}
	else if (unit == WF_UNIT_DAY || unit == WF_UNIT_WEEK)
		duration->days += amount * (unit == WF_UNIT_WEEK ? 7 : 1);
	else
		duration->ms += amount * wf_expr_time_units[unit].ms;
}

/* A text that PostgreSQL's interval reads: "1 day", "P1DT2H", "01:30". */
static void
read_interval(WfEval *ev, const WfValue *text, WfDuration *out)
{
	char	   *s = wf_expr_cstring(ev, text);
	struct pg_itm_in itm;
	int			dtype;
	int			nf;
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	char		workbuf[256];

	memset(&itm, 0, sizeof(itm));
	if (ParseDateTime(s, workbuf, sizeof(workbuf), field, ftype, MAXDATEFIELDS, &nf) != 0 ||
		(DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm) != 0 && DecodeISO8601Interval(s, &dtype, &itm) != 0) ||
		dtype != DTK_DELTA)
		wf_expr_throw_hint(ev, "Write \"1 day\", \"2 hours\", \"P1M\" or {days: 1}.", "\"%s\" is no interval",
						   pnstrdup(s, Min(strlen(s), 32)));
	out->years = itm.tm_year;
	out->months = itm.tm_mon;
	out->days = itm.tm_mday;
	out->ms = (double) itm.tm_usec / 1000.0;
}

/* What plus and minus take: an interval, {days: 1}, a duration, (n, unit), milliseconds. */
void
wf_expr_to_duration(WfEval *ev, int argc, WfValue *argv, WfDuration *out)
{
	const WfValue *value = ARG(0);
	WfEntryIter it;
	WfValue		key;
	WfValue		member;

	memset(out, 0, sizeof(*out));
	if (value->tag == WF_V_DURATION)
		*out = *value->u.duration;
	else if (WF_IS_NUMBER(value))
		wf_expr_add_unit(out, HAS(1) ? wf_expr_to_unit(ev, ARG(1)) : WF_UNIT_MS, wf_expr_to_number(ev, value));
	else if (WF_IS_STRING(value))
	{
		if (HAS(1))
			wf_expr_add_unit(out, wf_expr_to_unit(ev, ARG(1)), wf_expr_to_number(ev, value));
		else
			read_interval(ev, value, out);
	}
	else if (is_plain_object(value))
	{
		wf_expr_entries_begin(ev, &it, value);
		while (wf_expr_entries_next(ev, &it, &key, &member))
			wf_expr_add_unit(out, wf_expr_to_unit(ev, &key), wf_expr_to_number(ev, &member));
	}
	else
		wf_expr_throw(ev, "%s is no duration", wf_expr_kind_name(value));
	if (!isfinite(out->years) || !isfinite(out->months) || !isfinite(out->days) || !isfinite(out->ms))
		wf_expr_throw(ev, "invalid duration");
}

static void
new_duration(WfEval *ev, const WfDuration *from, WfValue *out)
{
	WfDuration *duration = wf_expr_alloc(ev, sizeof(WfDuration));

	*duration = *from;
	out->tag = WF_V_DURATION;
	out->u.duration = duration;
}

/* -- durations -- */

static const WfDuration *
this_duration(WfEval *ev, const WfValue *self)
{
	if (self->tag != WF_V_DURATION)
		wf_expr_throw(ev, "this is a method of durations, not of %s", wf_expr_kind_name(self));
	return self->u.duration;
}

/* In one unit, with months of 30 days and 4 weeks, and years of 365 days and 52 weeks, as Luxon converts. */
double
wf_expr_duration_as(const WfDuration *d, WfUnit unit)
{
	double		days = d->days + d->ms / MS_PER_DAY;

	switch (unit)
	{
		case WF_UNIT_YEAR:
			return d->years + d->months / 12 + days / 365;
		case WF_UNIT_QUARTER:
			return d->years * 4 + d->months / 3 + days / 91;
		case WF_UNIT_MONTH:
			return d->years * 12 + d->months + days / 30;
		case WF_UNIT_WEEK:
			return d->years * 52 + d->months * 4 + days / 7;
		default:
			return ((d->years * 365 + d->months * 30 + d->days) * MS_PER_DAY + d->ms) / wf_expr_time_units[unit].ms;
	}
}

static void
duration_method_as(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, wf_expr_duration_as(this_duration(ev, self), wf_expr_to_unit(ev, ARG(0))));
}

static void
duration_to_millis(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, wf_expr_duration_as(this_duration(ev, self), WF_UNIT_MS));
}

/* ISO 8601: P1Y2M3DT4H5M6.7S */
void
wf_expr_duration_text(WfEval *ev, const WfDuration *d, WfValue *out)
{
	char		buf[160] = "P";
	double		ms = d->ms;
	double		part[6] = {d->years, d->months, d->days, trunc(ms / 3600000), trunc(fmod(ms, 3600000) / 60000),
	fmod(ms, 60000) / 1000};

	for (int i = 0; i < 6; i++)
	{
		char		number[32];

		if (i == 3 && (part[3] != 0 || part[4] != 0 || part[5] != 0))
			strlcat(buf, "T", sizeof(buf));
		if (part[i] == 0)
			continue;
		wf_expr_format_number(part[i], number);
		strlcat(buf, number, sizeof(buf));
		strncat(buf, &"YMDHMS"[i], 1);
	}
	if (strcmp(buf, "P") == 0)
		strlcat(buf, "T0S", sizeof(buf));
	wf_expr_format(ev, out, "%s", buf);
}

static void
duration_to_iso(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_duration_text(ev, this_duration(ev, self), out);
}

/* years, months, days, hours, minutes, seconds, milliseconds */
bool
wf_expr_duration_member(WfEval *ev, const WfDuration *d, const char *key, uint32 len, WfValue *out)
{
	WfUnit		unit = len > 2 ? unit_by_name(key, len) : WF_UNIT_NONE;

	switch (unit)
	{
		case WF_UNIT_YEAR:
			set_number(out, d->years);
			return true;
		case WF_UNIT_MONTH:
			set_number(out, d->months);
			return true;
		case WF_UNIT_DAY:
			set_number(out, d->days);
			return true;
		case WF_UNIT_HOUR:
			set_number(out, trunc(d->ms / 3600000));
			return true;
		case WF_UNIT_MINUTE:
			set_number(out, trunc(fmod(d->ms, 3600000) / 60000));
			return true;
		case WF_UNIT_SECOND:
			set_number(out, trunc(fmod(d->ms, 60000) / 1000));
			return true;
		case WF_UNIT_MS:
			set_number(out, fmod(d->ms, 1000));
			return true;
		default:
			return false;
	}
}

const WfBuiltin wf_expr_duration_methods[] = {
	{"as", duration_method_as, 1},
	{"toMillis", duration_to_millis, 0},
	{"toISO", duration_to_iso, 0},
	{"toString", duration_to_iso, 0},
	{"toJSON", duration_to_iso, 0},
	{"valueOf", duration_to_millis, 0},
	{NULL}
};

static void
duration_from(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfDuration	duration;

	wf_expr_to_duration(ev, argc, argv, &duration);
	new_duration(ev, &duration, out);
}

static const WfBuiltin duration_functions[] = {
	{"fromObject", duration_from, 1},
	{"fromISO", duration_from, 1},
	{"fromMillis", duration_from, 1},
	{NULL}
};

const WfNamespace wf_expr_duration_space = {.name = "Duration",.functions = duration_functions};
