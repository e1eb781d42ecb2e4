#!/usr/bin/perl
# layers.pl: every #include "room/file.h" in src/ follows the table in rooms.txt.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my (%floor, %may, @problems);
for (Source::list("$FindBin::Bin/rooms.txt"))
{
	my ($floor, $room, @uses) = split;
	$floor{$room} = $floor;
	$may{$room} = { map { $_ => 1 } $room, @uses };
}
for my $room (sort keys %may)
{
	for my $used (sort keys %{ $may{$room} })
	{
		push @problems, "rooms.txt: $room uses $used, which is not below it"
		  if $used ne $room && (!defined $floor{$used} || $floor{$used} >= $floor{$room});
	}
}

for my $file (Source::files('.c', 'src'), Source::files('.h', 'src'))
{
	my ($room) = $file =~ m{^src/([^/]+)/};
	next if !defined $room && $file eq 'src/workflow.c';
	push(@problems, "$file: is in no room of test/lint/rooms.txt"), next if !defined $room || !$may{$room};
	my $number = 0;
	for my $line (split /\n/, Source::code(Source::text($file), 1))
	{
		$number++;
		next unless $line =~ /^\s*#\s*include\s+"([^"]+)"/;
		my $included = $1;
		if ($included =~ m{^([^/]+)/} && $may{$1} && -f "src/$included")
		{
			push @problems, "$file:$number: $room/ may not include $included" if !$may{$room}{$1};
		}
		elsif (-f "src/$room/$included")
		{
			push @problems, "$file:$number: write \"$room/$included\"";
		}
	}
}
print "$_\n" for @problems;
exit(@problems > 0);
