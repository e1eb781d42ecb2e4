/*
 * text.c: small helpers on C strings.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "base/text.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define CLIP_BYTES 64
#define NEAREST_BYTES 255		/* what varstr_levenshtein takes at the most */

const char *
wf_text_nearest(const char *name, const char *const *candidates, int n_candidates)
{
	int			len = strlen(name);
	const char *best = NULL;
	int			best_distance;

	if (len == 0 || len > CLIP_BYTES)
		return NULL;
	/* a third of the name may differ, at least one character and at most three */
	best_distance = Min(3, Max(1, len / 3)) + 1;
	for (int i = 0; i < n_candidates; i++)
	{
		int			candidate_len = strlen(candidates[i]);
		int			distance;

		if (pg_strcasecmp(name, candidates[i]) == 0)
			return candidates[i];
		if (candidate_len == 0 || candidate_len > NEAREST_BYTES || abs(candidate_len - len) >= best_distance)
			continue;
		distance = varstr_levenshtein_less_equal(name, len, candidates[i], candidate_len, 1, 1, 1,
												 best_distance, true);
		if (distance < best_distance)
		{
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}

const char *
wf_text_did_you_mean(const char *name, const char *const *candidates, int n_candidates)
{
	const char *nearest = wf_text_nearest(name, candidates, n_candidates);

	return nearest == NULL ? NULL : psprintf("Did you mean \"%s\"?", nearest);
}

const char *
wf_text_clip(const char *name)
{
	int			len = strlen(name);
	int			clipped;

	if (len <= CLIP_BYTES)
		return name;
	clipped = pg_mbcliplen(name, len, CLIP_BYTES - 3);
	return psprintf("%.*s...", clipped, name);
}

char *
wf_text_hex(const uint8 *bytes, size_t n)
{
	char	   *text = palloc(2 * n + 1);

	text[hex_encode((const char *) bytes, n, text)] = '\0';
	return text;
}

/* A plain number of seconds. */
static bool
seconds_ms(const char *text, int64 *out_ms)
{
	char	   *end;
	double		seconds;

	errno = 0;
	seconds = strtod(text, &end);
	while (isspace((unsigned char) *end))
		end++;
	if (end == text || *end != '\0' || errno == ERANGE || isnan(seconds) || isinf(seconds))
		return false;
	if (seconds < 0 || seconds > 1e12)
		return false;
	*out_ms = (int64) rint(seconds * 1000.0);
	return true;
}

/* As interval_in reads it, without its throwing. */
static bool
interval_ms(const char *text, int64 *out_ms)
{
	struct pg_itm_in itm;
	char		workbuf[256];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nf;
	int			dtype;
	double		ms;

	if (ParseDateTime(text, workbuf, sizeof(workbuf), field, ftype, MAXDATEFIELDS, &nf) != 0)
		return false;
	if (DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm) != 0)
	{
		char		iso[256];

		strlcpy(iso, text, sizeof(iso));
		if (DecodeISO8601Interval(iso, &dtype, &itm) != 0)
			return false;
	}
	if (dtype != DTK_DELTA)
		return false;
	ms = itm.tm_usec / 1000.0 + itm.tm_mday * 86400000.0 + itm.tm_mon * 30.0 * 86400000.0 +
		itm.tm_year * 365.25 * 86400000.0;
	if (ms < 0 || ms > 1e15)
		return false;
	*out_ms = (int64) rint(ms);
	return true;
}

bool
wf_text_duration_ms(const char *text, int64 *out_ms)
{
	while (isspace((unsigned char) *text))
		text++;
	if (*text == '\0' || strlen(text) > 200)
		return false;
	return seconds_ms(text, out_ms) || interval_ms(text, out_ms);
}

bool
wf_text_size_bytes(const char *text, int64 *out_bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	const char *p = text;
	int64		value = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (pg_mul_s64_overflow(value, 10, &value) || pg_add_s64_overflow(value, *p - '0', &value))
			return false;
	while (*p == ' ')
		p++;
	for (int i = 0; i < lengthof(units); i++)
		if (pg_strcasecmp(p, units[i]) == 0 || (i == 0 && *p == '\0'))
		{
			*out_bytes = value;
			return value > 0 && !pg_mul_s64_overflow(value, INT64CONST(1) << (10 * i), out_bytes);
		}
	return false;
}

size_t
wf_text_length(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}
