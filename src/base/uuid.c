/*
 * uuid.c: version 7 identifiers (RFC 9562, section 5.7 with method 3 of section 6.2).
 *
 * The first 48 bits are milliseconds of Unix time; the 12 bits after the version hold the fraction of
 * the millisecond in 1/4096ths. Within a backend the 60 bits together never go back or repeat: when
 * the clock stands or is set back, the last value is counted on. The rest is random.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_OFFSET_USEC \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * USECS_PER_SEC)

/* Eight random bytes, of a stock that saves a system call each. */
static void
take_random(unsigned char *bytes)
{
	static unsigned char stock[64][8];
	static int	left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(stock, sizeof(stock)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
		left = lengthof(stock);
	}
	left--;
	memcpy(bytes, stock[left], 8);
	memset(stock[left], 0, 8);
}

void
wf_uuid_make(pg_uuid_t *out)
{
	static uint64 last_ticks = 0;	/* 1/4096ths of a millisecond */
	uint64		usec = (uint64) (wf_clock_now() + UNIX_EPOCH_OFFSET_USEC);
	uint64		ticks = (usec / 1000) * 4096 + (usec % 1000) * 4096 / 1000;
	uint64		ms;

	if (ticks <= last_ticks)
		ticks = last_ticks + 1;
	last_ticks = ticks;

	take_random(out->data + 8);
	ms = ticks / 4096;
	for (int i = 0; i < 6; i++)
		out->data[i] = (unsigned char) (ms >> (40 - 8 * i));
	out->data[6] = 0x70 | ((ticks >> 8) & 0x0F);
	out->data[7] = ticks & 0xFF;
	out->data[8] = (out->data[8] & 0x3F) | 0x80;
}

void
wf_uuid_set_time(pg_uuid_t *id, TimestampTz time)
{
	uint64		ms = (uint64) Max((time + UNIX_EPOCH_OFFSET_USEC) / 1000, 0);

	for (int i = 0; i < 6; i++)
		id->data[i] = (unsigned char) (ms >> (40 - 8 * i));
}

TimestampTz
wf_uuid_time(const pg_uuid_t *id)
{
	uint64		ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->data[i];
	return (TimestampTz) ms * 1000 - UNIX_EPOCH_OFFSET_USEC;
}

bool
wf_uuid_read(const char *text, pg_uuid_t *out)
{
	static const int dashes[] = {8, 13, 18, 23};
	int			n = 0;

	memset(out, 0, sizeof(*out));
	if (text == NULL || strlen(text) != 36)
		return false;
	for (int i = 0; i < 36; i++)
	{
		int			digit;

		if (n < lengthof(dashes) && i == dashes[n])
		{
			if (text[i] != '-')
				return false;
			n++;
			continue;
		}
		if (text[i] >= '0' && text[i] <= '9')
			digit = text[i] - '0';
		else if (text[i] >= 'a' && text[i] <= 'f')
			digit = text[i] - 'a' + 10;
		else
			return false;
		out->data[(i - n) / 2] |= digit << ((i - n) % 2 == 0 ? 4 : 0);
	}
	return true;
}
