/*
 * calendar.h: instants and civil times, for Date and for date-times.
 *
 * An instant is milliseconds since 1970 in a double, as in JavaScript. Days and months are counted by
 * PostgreSQL's date2j and j2date, shifted by whole 400 years where these do not reach; time zones are
 * PostgreSQL's. A local time that a clock change skips, or that comes twice, is taken with the offset
 * before the change, as JavaScript does (PostgreSQL's own rule differs in the second case).
 */
#ifndef WF_EXPR_CALENDAR_H
#define WF_EXPR_CALENDAR_H

#include "expr/internal.h"

#define MS_PER_DAY 86400000.0

typedef struct WfCivil
{
	double		year;
	int			month;			/* 1 to 12 */
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			ms;
	int			weekday;		/* 0: Sunday */
	int			offset;			/* seconds east of UTC */
	const char *zone;			/* its abbreviation */
} WfCivil;

/* The civil time of an instant in a zone (NULL: UTC). The instant must be finite. */
extern void wf_expr_civil(double ms, pg_tz *zone, WfCivil *out);
/* Days since 1970 of a date; month from 0, out of range allowed. NaN when out of any range. */
extern double wf_expr_make_day(double year, double month, double day);
/* The instant at which clocks in the zone (NULL: UTC) show this civil time, given as if UTC. */
extern double wf_expr_from_local(double local_ms, pg_tz *zone);
/* NaN when outside of what JavaScript's Date holds; else without fraction. */
extern double wf_expr_clip(double ms);
extern int	wf_expr_offset(double ms, pg_tz *zone);
extern double wf_expr_parse_date(const char *text, uint32 len, pg_tz *zone);
/* datetime_iso.c */
extern double wf_expr_parse_iso(WfEval *ev, const WfValue *text, bool keep_zone, pg_tz **zone);
extern double wf_expr_day_of_week(double year, double week, double day);
extern int	wf_expr_month_by_name(const char *name, uint32 len);
extern pg_tz *wf_expr_zone(WfEval *ev, const WfValue *name);
extern double wf_expr_days_in_month(double year, int month);
/* ISO week: its number and its year. */
extern int	wf_expr_week(const WfCivil *civil, double *week_year);
extern int	wf_expr_day_of_year(const WfCivil *civil);

typedef enum WfUnit
{
	WF_UNIT_YEAR, WF_UNIT_QUARTER, WF_UNIT_MONTH, WF_UNIT_WEEK, WF_UNIT_DAY, WF_UNIT_HOUR, WF_UNIT_MINUTE, WF_UNIT_SECOND, WF_UNIT_MS, WF_UNIT_NONE
} WfUnit;

typedef struct WfTimeUnit
{
	const char *name;
	const char *shorthand;
	double		ms;				/* 0: counted in months */
	int			months;
} WfTimeUnit;

extern const WfTimeUnit wf_expr_time_units[WF_UNIT_NONE];
extern WfUnit wf_expr_to_unit(WfEval *ev, const WfValue *value);
extern void wf_expr_add_unit(WfDuration *duration, WfUnit unit, double amount);
extern void wf_expr_to_duration(WfEval *ev, int argc, WfValue *argv, WfDuration *out);
extern double wf_expr_duration_as(const WfDuration *duration, WfUnit unit);

extern const char *const wf_expr_month_names[12];
extern const char *const wf_expr_weekday_names[7];

extern void wf_expr_new_date(WfEval *ev, double ms, WfValue *out);
extern void wf_expr_new_moment(WfEval *ev, double ms, pg_tz *zone, WfValue *out);
extern double wf_expr_now_ms(WfEval *ev);
extern double wf_expr_clock_ms(void);	/* the time as it is, not $now */
/* The text of an instant after a pattern of Luxon's tokens. */
extern void wf_expr_format_moment(WfEval *ev, double ms, pg_tz *zone, const WfValue *pattern, WfValue *out);
extern double wf_expr_parse_moment(WfEval *ev, const WfValue *text, const WfValue *pattern, pg_tz *zone);
extern void wf_expr_locale_date(WfEval *ev, double ms, const WfValue *locale, const WfValue *options, bool date,
								bool time, WfValue *out);
extern double wf_expr_to_ms(WfEval *ev, const WfValue *value);

#endif
