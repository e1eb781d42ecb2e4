/*
 * when_time.c: is a text what JSON has for a date or a time?
 *
 * PostgreSQL's input functions take much more than that, and throw; here a text is taken apart by its form, put together
 * to a value, and must come out as it went in. It means the same to PostgreSQL under any DateStyle.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "query/when.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

/* Two digits at *at, not above `most`, behind the character `before` (0: none). */
static bool
take_two(const char **at, char before, int most, int *out)
{
	const char *text = *at;

	if (before != '\0' && *text++ != before)
		return false;
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return false;
	*out = (text[0] - '0') * 10 + text[1] - '0';
	*at = text + 2;
	return *out <= most;
}

static bool
take_date(const char **at, struct pg_tm *tm)
{
	int			century;
	int			year;

	if (!take_two(at, '\0', 99, &century) || !take_two(at, '\0', 99, &year) || !take_two(at, '-', 12, &tm->tm_mon) ||
		!take_two(at, '-', 31, &tm->tm_mday))
		return false;
	tm->tm_year = century * 100 + year;
	return tm->tm_year >= 1 && tm->tm_mon >= 1 && tm->tm_mday >= 1 &&
		tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

static bool
take_time(const char **at, struct pg_tm *tm, fsec_t *fsec)
{
	int			digit = 100000;

	*fsec = 0;
	if (!take_two(at, 'T', 23, &tm->tm_hour) || !take_two(at, ':', 59, &tm->tm_min) || !take_two(at, ':', 59, &tm->tm_sec))
		return false;
	if (**at != '.')
		return true;
	for ((*at)++; **at >= '0' && **at <= '9' && digit > 0; (*at)++, digit /= 10)
		*fsec += (**at - '0') * digit;
	return true;
}

/* `+02:00`, perhaps with seconds: as seconds to the west. */
static bool
take_zone(const char **at, int *zone)
{
	char		sign = **at;
	int			hours;
	int			minutes;
	int			seconds = 0;

	if ((sign != '+' && sign != '-') || !take_two(at, sign, MAX_TZDISP_HOUR, &hours) || !take_two(at, ':', 59, &minutes))
		return false;
	if (**at == ':' && !take_two(at, ':', 59, &seconds))
		return false;
	*zone = (hours * 60 + minutes) * 60 + seconds;
	if (sign == '+')
		*zone = -*zone;
	return true;
}

bool
wf_query_when_is_time(Oid type, const char *text)
{
	const char *at = text;
	struct pg_tm tm = {0};
	char		again[MAXDATELEN + 1];
	fsec_t		fsec;
	int			zone = 0;
	Timestamp	time;

	if (!take_date(&at, &tm))
		return false;
	if (type == DATEOID)
		return *at == '\0';
	if (!take_time(&at, &tm, &fsec) || (type == TIMESTAMPTZOID && !take_zone(&at, &zone)) || *at != '\0')
		return false;
	if (tm2timestamp(&tm, fsec, type == TIMESTAMPTZOID ? &zone : NULL, &time) != 0)
		return false;
	if (type == TIMESTAMPTZOID)
		return true;			/* in which zone it would be written is not known */
	JsonEncodeDateTime(again, TimestampGetDatum(time), TIMESTAMPOID, NULL);
	return strcmp(again, text) == 0;
}
