/*
 * datetime.c: date-times with a zone: `$now`, `$today`, DateTime.
 *
 * The names and meanings are Luxon's, which users of workflow tools know; two things are our own:
 * `.plus("1 day")` takes an interval, and `.diff(other, unit)` gives a number. Values never change:
 * every method gives a new one. Calendar units keep the wall clock, hours and smaller are exact.
 * Years, months and days of an interval are counted by the calendar of PostgreSQL (calendar.c).
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "expr/calendar.h"
#include "utils/datetime.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define EPOCH_SHIFT_MS ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * MS_PER_DAY)

/* -- making -- */

double
wf_expr_moment_ms(const WfMoment *moment)
{
	return moment->valid ? (double) moment->time : NAN;
}

void
wf_expr_new_moment(WfEval *ev, double ms, pg_tz *zone, WfValue *out)
{
	WfMoment   *moment = wf_expr_alloc(ev, sizeof(WfMoment));

	ms = wf_expr_clip(ms);
	moment->valid = !isnan(ms);
	moment->time = moment->valid ? (int64) ms : 0;
	moment->zone = zone;
	out->tag = WF_V_DATETIME;
	out->u.moment = moment;
}

double
wf_expr_now_ms(WfEval *ev)
{
	return floor((double) ev->scope->now / 1000.0) + EPOCH_SHIFT_MS;
}

void
wf_expr_eval_now(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_now_ms(ev), session_timezone, out);
}

void
wf_expr_eval_today(WfEval *ev, const WfExprNode *node, WfValue *out)
{
	WfCivil		c;
	double		ms = wf_expr_now_ms(ev);

	wf_expr_civil(ms, session_timezone, &c);
	wf_expr_new_moment(ev, wf_expr_from_local(wf_expr_make_day(c.year, c.month - 1, c.day) * MS_PER_DAY, session_timezone),
					   session_timezone, out);
}

static const WfMoment *
this_moment(WfEval *ev, const WfValue *self)
{
	if (self->tag != WF_V_DATETIME)
		wf_expr_throw(ev, "this is a method of date-times, not of %s", wf_expr_kind_name(self));
	return self->u.moment;
}

/* -- adding -- */

/* Months and days by the calendar, the rest exactly. */
static double
add_duration(double ms, pg_tz *zone, const WfDuration *d, int sign)
{
	WfCivil		c;
	double		year;
	double		month;
	double		last;
	double		days = d->days * sign;
	double		months = (d->years * 12 + d->months) * sign;

	if (isnan(ms) || fabs(months) > 1e7 || fabs(days) > 1e9)
		return NAN;
	if (months != 0 || trunc(days) != 0)
	{
		wf_expr_civil(ms, zone, &c);
		month = c.month - 1 + months;
		year = c.year + floor(month / 12);
		month -= floor(month / 12) * 12;
		last = wf_expr_days_in_month(year, (int) month + 1);
		ms = wf_expr_make_day(year, month, Min(c.day, last) + trunc(days)) * MS_PER_DAY + c.hour * 3600000.0 +
			c.minute * 60000.0 + c.second * 1000.0 + c.ms;
		if (!(fabs(ms) <= 1e17))
			return NAN;
		ms = wf_expr_from_local(ms, zone);
	}
	return ms + (days - trunc(days)) * MS_PER_DAY + d->ms * sign;
}

/* -- methods that give a date-time -- */

static void
moment_plus(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfDuration	duration;

	wf_expr_to_duration(ev, argc, argv, &duration);
	wf_expr_new_moment(ev, add_duration(wf_expr_moment_ms(m), m->zone, &duration, 1), m->zone, out);
}

static void
moment_minus(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfDuration	duration;

	wf_expr_to_duration(ev, argc, argv, &duration);
	wf_expr_new_moment(ev, add_duration(wf_expr_moment_ms(m), m->zone, &duration, -1), m->zone, out);
}

static double
start_of(double ms, pg_tz *zone, WfUnit unit)
{
	WfCivil		c;
	double		day;
	int			first;

	if (isnan(ms))
		return ms;
	wf_expr_civil(ms, zone, &c);
	if (unit >= WF_UNIT_HOUR && unit < WF_UNIT_NONE)
	{
		double		local = ms + c.offset * 1000.0;
		double		size = wf_expr_time_units[unit].ms;

		return ms - (local - floor(local / size) * size);
	}
	switch (unit)
	{
		case WF_UNIT_YEAR:
			day = wf_expr_make_day(c.year, 0, 1);
			break;
		case WF_UNIT_QUARTER:
			first = (c.month - 1) / 3 * 3;
			day = wf_expr_make_day(c.year, first, 1);
			break;
		case WF_UNIT_MONTH:
			day = wf_expr_make_day(c.year, c.month - 1, 1);
			break;
		case WF_UNIT_WEEK:
			day = wf_expr_make_day(c.year, c.month - 1, c.day) - (c.weekday + 6) % 7;
			break;
		default:
			day = wf_expr_make_day(c.year, c.month - 1, c.day);
			break;
	}
	return wf_expr_from_local(day * MS_PER_DAY, zone);
}

static void
moment_start_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfUnit		unit = wf_expr_to_unit(ev, ARG(0));

	wf_expr_new_moment(ev, start_of(wf_expr_moment_ms(m), m->zone, unit), m->zone, out);
}

static void
moment_end_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfUnit		unit = wf_expr_to_unit(ev, ARG(0));
	WfDuration	one = {0};
	double		ms;

	wf_expr_add_unit(&one, unit, 1);
	ms = add_duration(start_of(wf_expr_moment_ms(m), m->zone, unit), m->zone, &one, 1) - 1;
	wf_expr_new_moment(ev, ms, m->zone, out);
}

static void
moment_set_zone(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	pg_tz	   *zone = wf_expr_zone(ev, ARG(0));
	double		ms = wf_expr_moment_ms(m);
	WfValue		keep;

	if (!isnan(ms) && is_plain_object(ARG(1)) && wf_expr_get_field(ev, ARG(1), "keepLocalTime", &keep) &&
		wf_expr_to_bool(&keep))
		ms = wf_expr_from_local(ms + wf_expr_offset(ms, m->zone) * 1000.0, zone);
	wf_expr_new_moment(ev, ms, zone, out);
}

static pg_tz *
utc_zone(void)
{
	static pg_tz *utc = NULL;

	if (utc == NULL)
		utc = pg_tzset("UTC");
	return utc;
}

static void
moment_to_utc(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_moment_ms(this_moment(ev, self)), utc_zone(), out);
}

static void
moment_to_local(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_moment_ms(this_moment(ev, self)), session_timezone, out);
}

typedef enum Part
{
	PART_YEAR, PART_MONTH, PART_DAY, PART_HOUR, PART_MINUTE, PART_SECOND, PART_MS, PART_WEEKDAY, PART_ORDINAL, PART_WEEK, PART_WEEK_YEAR, N_PARTS
} Part;

static const char *const part_names[N_PARTS] = {
	"year", "month", "day", "hour", "minute", "second", "millisecond", "weekday", "ordinal", "weekNumber", "weekYear"
};

/* Reads the parts that an object gives over those in `part`; the ones given are marked. */
static void
read_parts(WfEval *ev, const WfValue *object, double *part, bool *given)
{
	WfEntryIter it;
	WfValue		key;
	WfValue		member;

	if (!is_plain_object(object))
		wf_expr_throw(ev, "expected an object such as {hour: 9}, not %s", wf_expr_kind_name(object));
	wf_expr_entries_begin(ev, &it, object);
	while (wf_expr_entries_next(ev, &it, &key, &member))
	{
		int			i = 0;
		uint32		len = key.len;

		if (len > 1 && key.u.str[len - 1] == 's')
			len--;
		while (i < N_PARTS && (strlen(part_names[i]) != len || memcmp(part_names[i], key.u.str, len) != 0))
			i++;
		if (i == N_PARTS)
			wf_expr_throw(ev, "unknown unit of time \"%.*s\"", (int) Min(key.len, 32), key.u.str);
		part[i] = wf_expr_to_integer(ev, &member);
		given[i] = true;
	}
}

/*
 * The instant of the parts of an object, those missing being of `c`. A day that is not given is at most the month's
 * last; other parts carry over, or with `strict` are no date-time when out of range.
 */
static double
apply_parts(WfEval *ev, const WfValue *object, WfCivil *c, pg_tz *zone, bool strict)
{
	double		week_year = 0;
	double		week = wf_expr_week(c, &week_year);
	double		part[N_PARTS] = {c->year, c->month, c->day, c->hour, c->minute, c->second, c->ms, (c->weekday + 6) % 7 + 1, 0, week,
	week_year};
	bool		given[N_PARTS] = {false};
	double		day;

	read_parts(ev, object, part, given);
	if (strict && (!(part[PART_MONTH] >= 1 && part[PART_MONTH] <= 12) || !(part[PART_DAY] >= 1) ||
				   part[PART_DAY] > wf_expr_days_in_month(part[PART_YEAR], (int) part[PART_MONTH]) || !(part[PART_HOUR] >= 0 && part[PART_HOUR] < 24) ||
				   !(part[PART_MINUTE] >= 0 && part[PART_MINUTE] < 60) || !(part[PART_SECOND] >= 0 && part[PART_SECOND] < 60) ||
				   !(part[PART_MS] >= 0 && part[PART_MS] < 1000)))
		return NAN;
	if (!given[PART_DAY] && part[PART_MONTH] >= 1 && part[PART_MONTH] <= 12)
		part[PART_DAY] = Min(part[PART_DAY], wf_expr_days_in_month(part[PART_YEAR], (int) part[PART_MONTH]));
	if (given[PART_WEEKDAY] || given[PART_WEEK] || given[PART_WEEK_YEAR])
		day = wf_expr_day_of_week(part[PART_WEEK_YEAR], part[PART_WEEK], strict && !given[PART_WEEKDAY] ? 1 : part[PART_WEEKDAY]);
	else if (given[PART_ORDINAL])
		day = wf_expr_make_day(part[PART_YEAR], 0, part[PART_ORDINAL]);
	else
		day = wf_expr_make_day(part[PART_YEAR], part[PART_MONTH] - 1, part[PART_DAY]);
	day = day * MS_PER_DAY + part[PART_HOUR] * 3600000.0 + part[PART_MINUTE] * 60000.0 + part[PART_SECOND] * 1000.0 + part[PART_MS];
	return fabs(day) <= 1e17 ? wf_expr_from_local(day, zone) : NAN;
}

static void
moment_set(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	double		ms = wf_expr_moment_ms(m);
	WfCivil		c;

	if (!isnan(ms))
	{
		wf_expr_civil(ms, m->zone, &c);
		ms = apply_parts(ev, ARG(0), &c, m->zone, false);
	}
	wf_expr_new_moment(ev, ms, m->zone, out);
}

/* -- differences -- */

static double
add_units(double ms, pg_tz *zone, WfUnit unit, double n)
{
	WfDuration	duration = {0};

	wf_expr_add_unit(&duration, unit, n);
	return add_duration(ms, zone, &duration, 1);
}

/* How many whole units of the calendar there are between two dates, by their numbers alone. */
static double
count_units(double later, double earlier, pg_tz *zone, WfUnit unit)
{
	WfCivil		a;
	WfCivil		b;
	double		days;

	wf_expr_civil(earlier, zone, &a);
	wf_expr_civil(later, zone, &b);
	days = wf_expr_make_day(b.year, b.month - 1, b.day) - wf_expr_make_day(a.year, a.month - 1, a.day);
	switch (unit)
	{
		case WF_UNIT_YEAR:
			return b.year - a.year;
		case WF_UNIT_QUARTER:
			return (b.year - a.year) * 4 + (b.month - 1) / 3 - (a.month - 1) / 3;
		case WF_UNIT_MONTH:
			return (b.year - a.year) * 12 + b.month - a.month;
		case WF_UNIT_WEEK:
			return trunc(days / 7);
		default:
			return days;
	}
}

/*
 * The difference in a unit, with its fraction, which is the share of the unit that begins where the whole ones
 * end. Calendar units are counted as Luxon counts them.
 */
static double
difference(double later, double earlier, pg_tz *zone, WfUnit unit)
{
	double		n;
	double		from;
	double		to;

	if (isnan(later) || isnan(earlier))
		return NAN;
	if (unit >= WF_UNIT_HOUR && unit < WF_UNIT_NONE)
		return (later - earlier) / wf_expr_time_units[unit].ms;
	if (later < earlier)
	{
		n = difference(earlier, later, zone, unit);
		return n == 0 ? 0 : -n;
	}
	n = count_units(later, earlier, zone, unit);
	to = add_units(earlier, zone, unit, n);
	from = to;
	for (int i = 0; i < 2 && from > later; i++)
	{
		to = from;
		from = add_units(earlier, zone, unit, --n);
	}
	if (to <= later)
		to = add_units(from, zone, unit, 1);
	return n + (later - from) / (to - from);
}

static void
moment_diff(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfUnit		unit = HAS(1) && !is_array(ARG(1)) ? wf_expr_to_unit(ev, ARG(1)) : WF_UNIT_MS;

	if (is_array(ARG(1)) && wf_expr_array_count(ARG(1)) > 0)
	{
		WfValue		first;

		wf_expr_array_at(ARG(1), 0, &first);
		unit = wf_expr_to_unit(ev, &first);
	}
	set_number(out, difference(wf_expr_moment_ms(m), wf_expr_to_ms(ev, ARG(0)), m->zone, unit));
}

static void
moment_diff_now(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);

	set_number(out, difference(wf_expr_moment_ms(m), wf_expr_now_ms(ev), m->zone, HAS(0) ? wf_expr_to_unit(ev, ARG(0)) : WF_UNIT_MS));
}

static void
moment_has_same(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfUnit		unit = wf_expr_to_unit(ev, ARG(1));

	set_bool(out, start_of(wf_expr_moment_ms(m), m->zone, unit) == start_of(wf_expr_to_ms(ev, ARG(0)), m->zone, unit));
}

static void
moment_equals(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, ARG(0)->tag == WF_V_DATETIME &&
			 wf_expr_moment_ms(this_moment(ev, self)) == wf_expr_moment_ms(ARG(0)->u.moment) &&
			 self->u.moment->zone == ARG(0)->u.moment->zone);
}

static void
moment_is_between(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms = wf_expr_moment_ms(this_moment(ev, self));

	set_bool(out, ms > wf_expr_to_ms(ev, ARG(0)) && ms < wf_expr_to_ms(ev, ARG(1)));
}

/* -- methods that give text or numbers -- */

/* ISO 8601 with the offset; Z for UTC. `what`: 1 date, 2 time, 3 both. */
static void
iso_text(WfEval *ev, const WfMoment *m, int what, bool with_offset, WfValue *out)
{
	WfCivil		c;
	char		year[24];
	char		date[48] = "";
	char		offset[16] = "";

	if (!m->valid)
	{
		set_null(out);
		return;
	}
	wf_expr_civil(wf_expr_moment_ms(m), m->zone, &c);
	snprintf(year, sizeof(year), c.year >= 0 && c.year <= 9999 ? "%04.0f" : c.year < 0 ? "-%06.0f" : "+%06.0f", fabs(c.year));
	if (what & 1)
		snprintf(date, sizeof(date), "%s-%02d-%02d%s", year, c.month, c.day, what & 2 ? "T" : "");
	if (what == 1)
	{
		wf_expr_format(ev, out, "%s", date);
		return;
	}
	if (with_offset && c.offset == 0 && strcmp(c.zone, "UTC") == 0)
		strlcpy(offset, "Z", sizeof(offset));
	else if (with_offset)
		snprintf(offset, sizeof(offset), "%c%02d:%02d", c.offset < 0 ? '-' : '+', abs(c.offset) / 3600, abs(c.offset) / 60 % 60);
	wf_expr_format(ev, out, "%s%02d:%02d:%02d.%03d%s", date, c.hour, c.minute, c.second, c.ms, offset);
}

void
wf_expr_moment_text(WfEval *ev, const WfMoment *moment, WfValue *out)
{
	if (moment->valid)
		iso_text(ev, moment, 3, true, out);
	else
		set_literal(out, "Invalid DateTime");
}

static void
moment_to_iso(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		include;
	bool		offset = !(is_plain_object(ARG(0)) && wf_expr_get_field(ev, ARG(0), "includeOffset", &include) &&
						   !wf_expr_to_bool(&include));

	iso_text(ev, this_moment(ev, self), 3, offset, out);
}

static void
moment_to_iso_date(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	iso_text(ev, this_moment(ev, self), 1, false, out);
}

static void
moment_to_iso_time(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	iso_text(ev, this_moment(ev, self), 2, true, out);
}

/* As Date's: in UTC. */
static void
moment_to_iso_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms = wf_expr_moment_ms(this_moment(ev, self));
	WfValue		date = {.tag = WF_V_DATE,.u.ms = &ms};

	if (isnan(ms))
		wf_expr_throw(ev, "invalid date");
	wf_expr_date_text(ev, &date, 'j', out);
}

static void
moment_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_moment_text(ev, this_moment(ev, self), out);
}

static void
moment_format(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfValue		pattern;

	if (HAS(0))
		wf_expr_to_string(ev, ARG(0), &pattern);
	else
		set_literal(&pattern, "yyyy-MM-dd");
	wf_expr_format_moment(ev, wf_expr_moment_ms(m), m->zone, &pattern, out);
}

static void
moment_to_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	const WfValue *options = is_plain_object(ARG(0)) ? ARG(0) : ARG(1);
	const WfValue *locale = is_plain_object(ARG(0)) ? &wf_expr_undefined : ARG(0);
	WfObject   *given = wf_expr_new_object(ev, 4);
	WfValue		all;
	WfEntryIter it;
	WfValue		key;
	WfValue		member;
	const char *zone = pg_get_timezone_name(m->zone);

	set_string(&member, zone, strlen(zone), 0);
	wf_expr_put_field(ev, given, "timeZone", &member);
	if (is_plain_object(options))
	{
		wf_expr_entries_begin(ev, &it, options);
		while (wf_expr_entries_next(ev, &it, &key, &member))
			wf_expr_object_put(ev, given, key.u.str, key.len, &member);
	}
	set_object(&all, given);
	wf_expr_locale_date(ev, wf_expr_moment_ms(m), locale, &all, true, false, out);
}

/* In a fixed form of toFormat's. */
static void
put_pattern(WfEval *ev, const WfValue *self, pg_tz *zone, const char *pattern, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfValue		text;

	set_string(&text, pattern, strlen(pattern), WF_S_ASCII);
	if (m->valid)
		wf_expr_format_moment(ev, wf_expr_moment_ms(m), zone ? zone : m->zone, &text, out);
	else
		set_null(out);
}

static void
moment_to_sql(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	put_pattern(ev, self, NULL, "yyyy-MM-dd HH:mm:ss.SSS ZZ", out);
}

static void
moment_to_sql_date(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	put_pattern(ev, self, NULL, "yyyy-MM-dd", out);
}

static void
moment_to_http(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	put_pattern(ev, self, utc_zone(), "EEE, dd LLL yyyy HH:mm:ss 'GMT'", out);
}

static void
moment_to_rfc2822(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	put_pattern(ev, self, NULL, "EEE, dd LLL yyyy HH:mm:ss ZZZ", out);
}

static void
moment_to_object(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfObject   *parts = wf_expr_new_object(ev, PART_MS + 1);
	WfValue		value;

	for (int i = PART_YEAR; m->valid && i <= PART_MS; i++)
	{
		wf_expr_moment_member(ev, m, part_names[i], strlen(part_names[i]), &value);
		wf_expr_put_field(ev, parts, part_names[i], &value);
	}
	set_object(out, parts);
}

static void
moment_get(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfMoment *m = this_moment(ev, self);
	WfValue		name;

	wf_expr_to_string(ev, ARG(0), &name);
	if (!wf_expr_moment_member(ev, m, name.u.str, name.len, out))
		set_undefined(out);
}

static void
moment_to_millis(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, wf_expr_moment_ms(this_moment(ev, self)));
}

static void
moment_to_seconds(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, wf_expr_moment_ms(this_moment(ev, self)) / 1000);
}

static void
moment_to_unix_integer(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, floor(wf_expr_moment_ms(this_moment(ev, self)) / 1000));
}

static void
moment_to_js_date(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_date(ev, wf_expr_moment_ms(this_moment(ev, self)), out);
}

static void
moment_same(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	this_moment(ev, self);
	*out = *self;
}

/* year, month, weekday ...; false for any other name. */
bool
wf_expr_moment_member(WfEval *ev, const WfMoment *m, const char *key, uint32 len, WfValue *out)
{
	WfValue		name;
	WfCivil		c = {0};
	double		week_year = 0;
	const char *zone;
	int			quarter;

	set_string(&name, key, len, 0);
	if (wf_expr_string_is(&name, "isValid"))
	{
		set_bool(out, m->valid);
		return true;
	}
	set_number(out, NAN);
	if (m->valid)
		wf_expr_civil(wf_expr_moment_ms(m), m->zone, &c);
	quarter = (c.month - 1) / 3 + 1;
#define MEMBER(text, expression) \
	if (wf_expr_string_is(&name, text)) \
	{ \
		if (m->valid) \
			set_number(out, expression); \
		return true; \
	}
	MEMBER("year", c.year)
	MEMBER("month", c.month)
	MEMBER("day", c.day)
	MEMBER("hour", c.hour)
	MEMBER("minute", c.minute)
	MEMBER("second", c.second)
	MEMBER("millisecond", c.ms)
	MEMBER("weekday", (c.weekday + 6) % 7 + 1)
	MEMBER("quarter", quarter)
	MEMBER("ordinal", wf_expr_day_of_year(&c))
	MEMBER("weekNumber", wf_expr_week(&c, &week_year))
	MEMBER("weekYear", (wf_expr_week(&c, &week_year), week_year))
	MEMBER("daysInMonth", wf_expr_days_in_month(c.year, c.month))
	MEMBER("daysInYear", wf_expr_make_day(c.year + 1, 0, 1) - wf_expr_make_day(c.year, 0, 1))
	MEMBER("offset", c.offset / 60.0)
	MEMBER("ts", wf_expr_moment_ms(m))
#undef MEMBER
	if (wf_expr_string_is(&name, "isInDST"))
	{
		set_bool(out, m->valid && (c.offset > wf_expr_offset(wf_expr_from_local(wf_expr_make_day(c.year, 0, 1) * MS_PER_DAY, m->zone), m->zone) ||
								   c.offset > wf_expr_offset(wf_expr_from_local(wf_expr_make_day(c.year, 4, 1) * MS_PER_DAY, m->zone), m->zone)));
		return true;
	}
	if (wf_expr_string_is(&name, "isInLeapYear"))
	{
		set_bool(out, m->valid && wf_expr_days_in_month(c.year, 2) == 29);
		return true;
	}
	zone = pg_get_timezone_name(m->zone);
	if (wf_expr_string_is(&name, "zoneName"))
		wf_expr_format(ev, out, "%s", zone);
	else if (!m->valid)
		return false;
	else if (wf_expr_string_is(&name, "monthLong"))
		wf_expr_format(ev, out, "%s", wf_expr_month_names[c.month - 1]);
	else if (wf_expr_string_is(&name, "monthShort"))
		wf_expr_format(ev, out, "%.3s", wf_expr_month_names[c.month - 1]);
	else if (wf_expr_string_is(&name, "weekdayLong"))
		wf_expr_format(ev, out, "%s", wf_expr_weekday_names[c.weekday]);
	else if (wf_expr_string_is(&name, "weekdayShort"))
		wf_expr_format(ev, out, "%.3s", wf_expr_weekday_names[c.weekday]);
	else if (wf_expr_string_is(&name, "offsetNameShort"))
		wf_expr_format(ev, out, "%s", c.zone);
	else
		return false;
	return true;
}

const WfBuiltin wf_expr_datetime_methods[] = {
	{"format", moment_format, 1},
	{"toFormat", moment_format, 1},
	{"plus", moment_plus, 1},
	{"minus", moment_minus, 1},
	{"toISO", moment_to_iso, 0},
	{"toISOString", moment_to_iso_string, 0},
	{"toISODate", moment_to_iso_date, 0},
	{"toISOTime", moment_to_iso_time, 0},
	{"startOf", moment_start_of, 1},
	{"beginningOf", moment_start_of, 1},
	{"endOf", moment_end_of, 1},
	{"diff", moment_diff, 2},
	{"diffTo", moment_diff, 2},
	{"diffNow", moment_diff_now, 1},
	{"setZone", moment_set_zone, 1},
	{"in", moment_set_zone, 1},
	{"toUTC", moment_to_utc, 0},
	{"toLocal", moment_to_local, 0},
	{"set", moment_set, 1},
	{"hasSame", moment_has_same, 2},
	{"equals", moment_equals, 1},
	{"isBetween", moment_is_between, 2},
	{"toSQL", moment_to_sql, 0},
	{"toSQLDate", moment_to_sql_date, 0},
	{"toHTTP", moment_to_http, 0},
	{"toRFC2822", moment_to_rfc2822, 0},
	{"toObject", moment_to_object, 0},
	{"get", moment_get, 1},
	{"toMillis", moment_to_millis, 0},
	{"toSeconds", moment_to_seconds, 0},
	{"toUnixInteger", moment_to_unix_integer, 0},
	{"toJSDate", moment_to_js_date, 0},
	{"toDateTime", moment_same, 0},
	{"toLocaleString", moment_to_locale_string, 0},
	{"toJSON", moment_to_iso, 0},
	{"toString", moment_to_string, 0},
	{"valueOf", moment_to_millis, 0},
	{"getTime", moment_to_millis, 0},
	{NULL}
};

/* -- DateTime -- */

/* The option `zone`, else the session's. */
static pg_tz *
zone_option(WfEval *ev, const WfValue *options)
{
	WfValue		zone;

	if (is_plain_object(options) && wf_expr_get_field(ev, options, "zone", &zone) && !WF_IS_NULLISH(&zone))
		return wf_expr_zone(ev, &zone);
	return session_timezone;
}

static void
datetime_now(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_now_ms(ev), session_timezone, out);
}

static void
datetime_from_iso(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfValue		keep;
	pg_tz	   *zone = zone_option(ev, ARG(1));
	bool		keeps = is_plain_object(ARG(1)) && wf_expr_get_field(ev, ARG(1), "setZone", &keep) && wf_expr_to_bool(&keep);
	double		ms;

	wf_expr_to_string(ev, ARG(0), &text);
	ms = wf_expr_parse_iso(ev, &text, keeps, &zone);
	wf_expr_new_moment(ev, ms, zone, out);
}

static void
datetime_from_millis(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_to_number(ev, ARG(0)), zone_option(ev, ARG(1)), out);
}

static void
datetime_from_seconds(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_to_number(ev, ARG(0)) * 1000, zone_option(ev, ARG(1)), out);
}

static void
datetime_from_js_date(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_to_ms(ev, ARG(0)), zone_option(ev, ARG(1)), out);
}

static void
datetime_from_format(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfValue		pattern;
	pg_tz	   *zone = zone_option(ev, ARG(2));

	wf_expr_to_string(ev, ARG(0), &text);
	wf_expr_to_string(ev, ARG(1), &pattern);
	wf_expr_new_moment(ev, wf_expr_parse_moment(ev, &text, &pattern, zone), zone, out);
}

static void
datetime_from_object(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	pg_tz	   *zone = zone_option(ev, ARG(1));
	WfCivil		c;

	wf_expr_civil(wf_expr_now_ms(ev), zone, &c);
	c.month = c.day = 1;
	c.hour = c.minute = c.second = c.ms = 0;
	wf_expr_new_moment(ev, apply_parts(ev, ARG(0), &c, zone, true), zone, out);
}

/* year, month, day, ... */
static void
datetime_parts(WfEval *ev, int argc, WfValue *argv, pg_tz *zone, WfValue *out)
{
	double		part[7] = {0, 1, 1, 0, 0, 0, 0};
	double		ms;

	if (argc == 0)
	{
		wf_expr_new_moment(ev, wf_expr_now_ms(ev), zone, out);
		return;
	}
	for (int i = 0; i < Min(argc, 7); i++)
		part[i] = wf_expr_to_integer(ev, &argv[i]);
	ms = wf_expr_make_day(part[0], part[1] - 1, part[2]) * MS_PER_DAY + part[3] * 3600000.0 + part[4] * 60000.0 +
		part[5] * 1000.0 + part[6];
	/* unlike Date, nothing is carried over */
	if (!(part[1] >= 1 && part[1] <= 12) || !(part[2] >= 1 && part[2] <= wf_expr_days_in_month(part[0], (int) part[1])) ||
		!(part[3] >= 0 && part[3] < 24) || !(part[4] >= 0 && part[4] < 60) || !(part[5] >= 0 && part[5] < 60) ||
		!(part[6] >= 0 && part[6] < 1000))
		ms = NAN;
	wf_expr_new_moment(ev, fabs(ms) <= 1e17 ? wf_expr_from_local(ms, zone) : NAN, zone, out);
}

static void
datetime_local(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	datetime_parts(ev, argc, argv, session_timezone, out);
}

static void
datetime_utc(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	datetime_parts(ev, argc, argv, utc_zone(), out);
}

/* The earliest or the latest of the arguments; undefined without any. */
static void
choose(WfEval *ev, int argc, WfValue *argv, bool latest, WfValue *out)
{
	set_undefined(out);
	for (int i = 0; i < argc; i++)
	{
		double		ms = wf_expr_moment_ms(this_moment(ev, &argv[i]));

		if (i == 0 || (latest ? ms > wf_expr_moment_ms(out->u.moment) : ms < wf_expr_moment_ms(out->u.moment)))
			*out = argv[i];
	}
}

static void
datetime_max(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	choose(ev, argc, argv, true, out);
}

static void
datetime_min(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	choose(ev, argc, argv, false, out);
}

static void
datetime_is(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, ARG(0)->tag == WF_V_DATETIME);
}

static const WfBuiltin datetime_functions[] = {
	{"max", datetime_max, 0},
	{"min", datetime_min, 0},
	{"isDateTime", datetime_is, 1},
	{"now", datetime_now, 0},
	{"fromISO", datetime_from_iso, 1},
	{"fromFormat", datetime_from_format, 2},
	{"fromMillis", datetime_from_millis, 1},
	{"fromSeconds", datetime_from_seconds, 1},
	{"fromJSDate", datetime_from_js_date, 1},
	{"fromSQL", datetime_from_iso, 1},
	{"fromObject", datetime_from_object, 1},
	{"local", datetime_local, 0},
	{"utc", datetime_utc, 0},
	{NULL}
};

const WfNamespace wf_expr_datetime_space = {.name = "DateTime",.functions = datetime_functions};
