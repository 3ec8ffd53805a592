"""Texts for the synthetic voices.

Rule of this file: the language in general: words of the dictionary, numbers, dates, names, rooms, things, short
imperative phrases with every verb before every noun; no domain and no phrase is favoured.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from sayso.grammar.espeak import guess
from sayso_model.phones import Speller, dictionary

VERBS = """
add adjust answer arm ask begin boil book bring brighten call cancel change charge check clean clear close connect
cook continue cool count cut decrease delete dim disable disarm dry empty enable end fill find finish fix flip fold
forget freeze get give go grab heat hide hold increase join keep kill leave let lift light list load lock look
loosen lower make mark measure mix move mute name notify open pack park pass pause pay pick place play plug pour
press pull push put raise read record reduce remember remind remove rename repeat replace reset restart resume
return ring roll run save say scan search sell send set share shuffle show shut silence skip slow snooze sort spin
spray start stop store stream switch take tell test throw tighten time toggle track trigger try turn undo unlock
unmute unplug update use vacuum view volume wait wake warm wash watch water weigh wipe wrap write
""".split()

THINGS = """
air alarm album alexander amplifier apple aquarium armchair backpack bag balloon banana basket bath battery bean bed
bell belt bench bicycle bin bird blanket blender blind board boat boiler book bottle bowl box bread brush bucket
bulb burger bus button cabinet cable cake calendar camera candle car card carpet carrot cat ceiling cello chair
channel charger cheese chicken chimney clock cloth coat coffee coin color computer cooker cookie cord couch cup
cupboard curtain cushion date desk dial dinner dish dishwasher dog door drawer dress drill drum dryer duck egg
elevator engine envelope fan faucet feeder fence fern filter fire fish flag flashlight floor flower fork fountain
freezer fridge fruit furnace game gate glass glove grill guitar hammer hat heater helmet honey hose humidifier
humidity ice iron jacket jar juice kettle key keyboard knife ladder lamp lantern laptop leaf lemon letter level
light list lock lunch machine magnet mail map mask mattress meal meat medicine meter microwave milk mirror monitor
moon mop motor mouse movie mug music napkin needle network news note notebook oil onion orange orchard oven package
pan paper pasta pedal pen pencil pepper phone photo piano picture pie pillow pipe pizza plant plate player plug
podcast pool post pot potato pressure printer projector pump purifier puzzle radiator radio rain rake recipe record
remote ribbon rice ring robot roof rope router rug salad salt sandwich saw scale scarf scene schedule scissors
screen screw sensor sheet shelf shelves shirt shoe shop shower shutter signal sink siren skirt sky snow soap sock
sofa song soup speaker spoon sprinkler stage stairs stamp star station stereo storm stove strawberry string strip
sugar suit sun switch table tablet tank tape tea telephone television temperature tent thermostat ticket tile timer
toaster toilet tomato tool toothbrush towel toy track trailer train trap tray tree truck tube umbrella vase valve
vegetable video violin volume wagon wall wallet washer waste watch water weather wheel whistle wind window wine wire
wood yard zipper
""".split()

PLACES = """
attic balcony barn basement bathroom bedroom cabin cellar city closet corner corridor country deck den dining room
driveway entrance entry family room field foyer front back yard gallery garage garden guest room gym hall hallway
house kitchen kids room laundry room library living room lobby loft lounge market master bedroom nursery office
pantry park patio playroom pool porch river road roof school shed shop side stairs stairway street studio study
sunroom terrace theater tower upstairs downstairs utility room village veranda warehouse workshop world
""".split()
PLACES = [place for place in PLACES if place != "room"] + [
    "living room", "dining room", "family room", "guest room", "laundry room", "utility room", "kids room"
]  # fmt: skip

QUALITIES = """
bad bedside big black blue bright broken brown busy cheap clean cold cool crimson cyan daily dark deep different dim
dirty double dry dull early eastern easy empty fast favorite fine first fresh full gold good gray great green half
happy hard heavy high hot indigo large last late lavender lazy left light little long loud low lower magenta main
maroon mean mild modern morning narrow natural new next nice noisy northern old olive open outdoor outside pink
plain poor pretty purple quick quiet ready real red rich right rough round safe second sharp short silver simple
single slow small smart smooth soft southern special standing strange strong sweet tall teal thick thin third tiny
top turquoise ugly upper violet warm weak western wet white wide wild wooden wrong yellow young
""".split()

SMALL = """
and at before behind below beside by down for from in into near of off on out over past since through to toward
under until up with without about above across after again all almost also always any around away back because both
but each either enough ever every few if just less many maybe more most much must never no not nothing now often
only or other please quite rather really same so some soon still such than that the then there these they this those
today together tomorrow tonight too very well what when where which while who why will would yes yesterday you your
""".split()

QUESTIONS = tuple(
    """is,are,was,were,does,did,can,could,will,would,should,has,have,what's,where's,who's,how's,what is,where is,
who is,how is,what are,when is,why is,which is,how many,how much,how long,what time is,there,are there""".replace(
        "\n", ""
    ).split(",")
)

NAMES = """
aaron abigail adam alan alice alex amanda amy andrea andrew angela anna anthony arthur barbara ben beth betty
brandon brian carl carol caroline catherine charles charlotte chris christina claire cynthia daniel david deborah
dennis diana donald dorothy douglas edward elizabeth emily emma eric ethan eva evelyn frank gary george grace
gregory hannah harold heather helen henry isabel jack jacob james janet jason jeffrey jennifer jessica joan john
jonathan jordan joseph joshua joyce julia justin karen kate keith kelly kenneth kevin kyle larry laura lauren lily
linda lisa logan lucas maria marie mark martha martin mary matthew megan melissa michael michelle mike nancy natalie
nathan nicholas nicole noah nora oliver olivia oscar pamela patricia patrick paul peter philip rachel ralph raymond
rebecca richard robert roger ronald rose roy russell ruth ryan samantha samuel sandra sara scott sean sharon sophia
stephen steven susan teresa theresa thomas timothy tyler victoria vincent virginia walter wayne william zachary
""".split()

DAYS = """
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
october november december weekday weekend morning afternoon evening noon midnight night week month year
""".split()

UNITS = """
percent degrees minutes seconds hours days weeks months years dollars cents meters miles feet inches pounds grams
liters cups channels times steps points
""".split()

_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
""".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fifteenth twentieth
thirtieth
""".split()


def number(value: int) -> str:
    """Given 0 <= value < 1e6, return it in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10 - 2] + (f" {_ONES[value % 10]}" if value % 10 else "")
    if value < 1000:
        return f"{_ONES[value // 100]} hundred" + (f" {number(value % 100)}" if value % 100 else "")
    return f"{number(value // 1000)} thousand" + (f" {number(value % 1000)}" if value % 1000 else "")


def agreed(words: Sequence[str]) -> list[str]:
    """Given words, return those that espeak-ng says nearly as the dictionary does, so that the labels hold."""
    known = dictionary()
    return [
        word
        for word, said in zip(words, guess(words))
        if min(_distance(said, way) for way in known[word]) <= max(1, len(known[word][0]) // 3)
    ]


def _distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Given two sequences, return the fewest insertions, deletions and substitutions between them."""
    row = list(range(len(second) + 1))
    for place, one in enumerate(first, 1):
        last, row[0] = row[0], place
        for column, other in enumerate(second, 1):
            last, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, last + (one != other))
    return row[-1]


class Writer:
    """Writes texts of one to about ten words, by a seed."""

    def __init__(self, seed: int, transcripts: Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._transcripts = [text for text in transcripts if len(text.split()) > 3]
        heard = Counter(word for text in transcripts for word in text.split())
        known = dictionary()
        pool = sorted(word for word in known if re.fullmatch(r"[a-z]{2,}('[a-z]+)?", word))
        self._rare = agreed(random.Random(seed).sample(pool, 3000))
        self._frequent = sorted(word for word, count in heard.items() if count > 2 and word in known)

    def __call__(self) -> str:
        """Return a text: lower case, words only."""
        kind = self._random.choices(
            (self._isolated, self._rare_words, self._imperative, self._question, self._numbers, self._excerpt),
            (18, 18, 26, 8, 14, 16),
        )[0]
        return kind()

    def _word(self) -> str:
        return self._random.choice(
            self._random.choices(
                (THINGS, VERBS, QUALITIES, PLACES, SMALL, NAMES, DAYS, self._frequent, self._rare),
                (10, 8, 8, 6, 6, 5, 3, 30, 24),
            )[0]
        )

    def _isolated(self) -> str:
        return " ".join(self._word() for _ in range(self._random.choices((1, 2, 3), (60, 25, 15))[0]))

    def _rare_words(self) -> str:
        return " ".join(self._word() for _ in range(self._random.randint(3, 8)))

    def _thing(self) -> str:
        choose = self._random.choice
        words = [choose(("the", "the", "a", "my", "all", "this", "every", "that", "", "", ""))]
        words += [choose(QUALITIES)] if self._random.random() < 0.35 else []
        words += [choose(THINGS)] if self._random.random() < 0.85 else [self._word()]
        return " ".join(filter(None, words))

    def _place(self) -> str:
        choose = self._random.choice
        where, whose = choose(("in", "on", "to", "from", "near", "at", "for", "by")), choose(("the", "the", "my", ""))
        return f"{where} {whose} {choose(PLACES)}"

    def _imperative(self) -> str:
        choose, chance = self._random.choice, self._random.random
        words = [choose(VERBS)]
        words += [choose(("on", "off", "up", "down", "out", "in", "to", "with", "for"))] if chance() < 0.35 else []
        words += [self._thing()] if chance() < 0.85 else []
        words += (
            [choose(("on", "off", "up", "down", "to", "with", "again", "now", "slowly", "please"))]
            if chance() < 0.3
            else []
        )
        words += [self._place()] if chance() < 0.4 else []
        words += ["to", self._quantity()] if chance() < 0.2 else []
        return " ".join(" ".join(words).split())

    def _question(self) -> str:
        return " ".join((self._random.choice(QUESTIONS), self._thing(), self._random.choice(QUALITIES + SMALL + DAYS)))

    def _quantity(self) -> str:
        value = self._random.choice(
            (self._random.randint(0, 20), self._random.randint(0, 100), self._random.randint(0, 999))
        )
        return f"{number(value)} {self._random.choice(UNITS)}" if self._random.random() < 0.7 else number(value)

    def _numbers(self) -> str:
        pick = self._random.randint
        return self._random.choice(
            (
                self._quantity,
                lambda: f"{self._quantity()} and {self._quantity()}",
                lambda: " ".join(self._random.choice((*_ONES[:10], "oh", "double")) for _ in range(pick(2, 8))),
                lambda: f"{self._random.choice(DAYS)} {self._random.choice(_ORDINALS)}",
                lambda: (
                    number(pick(1, 12))
                    + " "
                    + self._random.choice((number(pick(10, 59)), "fifteen", "thirty", "oh five"))
                ),
                lambda: f"half past {number(pick(1, 12))}",
                lambda: f"{number(pick(1000, 999999))}",
                lambda: f"point {number(pick(0, 9))} {self._word()} {number(pick(0, 99))} point {number(pick(0, 9))}",
            )
        )()

    def _excerpt(self) -> str:
        words = self._random.choice(self._transcripts).split()
        length = self._random.randint(2, 9)
        start = self._random.randint(0, max(0, len(words) - length))
        return " ".join(words[start : start + length])


def check() -> None:
    """Print the words of the lists that the dictionary doesn't hold."""
    speller = Speller()
    words = {
        word
        for pool in (VERBS, THINGS, PLACES, QUALITIES, SMALL, NAMES, DAYS, UNITS)
        for text in pool
        for word in text.split()
    }
    print(sorted(word for word in words if word not in dictionary()), len(words), speller.ways("word"))


if __name__ == "__main__":
    check()
