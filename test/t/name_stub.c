/*
 * name_stub.c: what names resolve to, as the tests say; preloaded into a server by net_names.pl.
 *
 * The answer is in the name. "x1.127-0-0-1.and.10-0-0-1.stub" has two addresses; "x2.127-0-0-1.then.10-0-0-1.stub" has the first one
 * when it is looked up for the first time and the second one from then on; 32 hexadecimal digits are an IPv6 address; "slow"
 * takes three seconds, "again" fails for now, "none" for ever. The first label is there to tell names apart. All other names are the
 * system's. Looked up means by a process, which libcurl does in threads; newer ones ask for each family of addresses by itself, and
 * get those.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_NAMES 256
#define MOST_CHARS 256

typedef int (*Lookup) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

static struct
{
	char		name[MOST_CHARS];
	int			family;
	int			times;
}			seen[MOST_NAMES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* How often the name was looked up before, in this family. */
static int
times_before(const char *name, int family)
{
	int			times = 0;
	int			i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < MOST_NAMES - 1 && seen[i].name[0] != '\0'; i++)
		if (strcmp(seen[i].name, name) == 0 && seen[i].family == family)
			break;
	strncpy(seen[i].name, name, MOST_CHARS - 1);
	seen[i].family = family;
	times = seen[i].times++;
	pthread_mutex_unlock(&lock);
	return times;
}

/* Puts an address as the system gives it in front of the list, if it is of the family. False: the label is none. */
static bool
add(Lookup lookup, const char *label, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct addrinfo how = *hints;
	struct addrinfo *found = NULL;
	char		text[MOST_CHARS] = "";
	size_t		n = 0;

	for (const char *p = label; *p != '\0' && n < sizeof(text) - 2; p++)
	{
		text[n++] = *p == '-' ? '.' : *p;
		if (strlen(label) == 32 && (p - label) % 4 == 3 && p[1] != '\0')
			text[n++] = ':';
	}
	how.ai_flags |= AI_NUMERICHOST;
	how.ai_family = AF_UNSPEC;
	if (lookup(text, service, &how, &found) != 0)
		return false;
	if (hints->ai_family != AF_UNSPEC && hints->ai_family != found->ai_family)
	{
		freeaddrinfo(found);
		return true;
	}
	found->ai_next = *list;
	*list = found;
	return true;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	Lookup		lookup = (Lookup) dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo none = {0};
	struct addrinfo *list = NULL;
	char		rest[MOST_CHARS];
	char	   *labels[MOST_CHARS];
	char	   *save = NULL;
	int			n = 0;
	int			skip;
	int			from = 1;
	int			to;

	if (name == NULL || strlen(name) < 5 || strlen(name) >= MOST_CHARS || strcmp(name + strlen(name) - 5, ".stub") != 0)
		return lookup(name, service, hints, result);
	if (hints == NULL)
		hints = &none;
	skip = times_before(name, hints->ai_family);
	strcpy(rest, name);
	for (char *label = strtok_r(rest, ".", &save); label != NULL; label = strtok_r(NULL, ".", &save))
		labels[n++] = label;
	n--;						/* "stub" */
	for (int i = 1; i < n && skip > 0; i++)
		if (strcmp(labels[i], "then") == 0)
		{
			from = i + 1;
			skip--;
		}
	for (to = from; to < n && strcmp(labels[to], "then") != 0; to++)
		;
	for (int i = to - 1; i >= from; i--)
	{
		if (strcmp(labels[i], "slow") == 0)
			sleep(3);
		else if (strcmp(labels[i], "again") == 0)
			return EAI_AGAIN;
		else if (strcmp(labels[i], "none") == 0)
			return EAI_NONAME;
		else if (strcmp(labels[i], "and") != 0 && !add(lookup, labels[i], service, hints, &list))
			return EAI_FAIL;
	}
	*result = list;
	return list == NULL ? EAI_NONAME : 0;
}
