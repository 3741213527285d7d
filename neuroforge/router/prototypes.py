"""Example requests of each task: where to place a text before any outcome has taught more."""

from neuroforge.contracts.tasks import TaskType

PROTOTYPES: dict[TaskType, tuple[str, ...]] = {
    "code": (
        "Write a Python function that returns the longest common prefix of a list of strings.",
        'def median(values: list[float]) -> float:\n    """Return the median.\n    >>> median([3, 1, 2])\n   '
        ' 2\n    """\n',
        "Write a function to find the second largest number in an array. Your code should pass: assert f([1, "
        "4, 2]) == 2",
        "Why does this code raise a TypeError?\n```python\nfor i in len(items):\n    print(items[i])\n```",
        "SELECT name, total FROM orders JOIN customers USING (id): how do I get only the newest order of "
        "each customer?",
        "Implement a debounce hook in TypeScript for a React component and write unit tests for it.",
    ),
    "math": (
        "A shop sells pens at $3 each and notebooks at $5 each. Anna buys 4 pens and twice as many notebooks. "
        "How much does she spend in total?",
        "A train travels 60 miles in the first hour and 15% faster in each of the next 2 hours. How far does it go?",
        "Solve for $x$: $\\frac{2x+3}{x-1} = \\sqrt{5}$.",
        "Let $f(n)$ be the number of divisors of $n$. Compute $\\sum_{n=1}^{20} f(n)$ and prove your answer.",
        "What is the probability that two dice show a sum greater than 8?",
        "Find the area of the triangle with vertices $(0,0)$, $(4,0)$ and $(1,3)$.",
        "What is 347 * 29?",
    ),
    "reasoning": (
        "Five friends sit in a row. Ben is left of Carla, Dana is not at an end, and Emil sits next to Ben. "
        "Who is in the "
        "middle?",
        "There are 3 houses in a row, numbered from left to right. Each has a different person, pet and "
        "drink. The cat owner "
        "lives directly left of the one who drinks tea. Which house has the dog?",
        "If all bloops are razzies and some razzies are lazzies, are all bloops lazzies? Explain step by step.",
        "Where would you put a wet coat so that it dries? A. drawer B. hook C. freezer D. pocket",
        "What would most likely happen if a glass of water was left outside on a freezing night?",
        "Is the following argument valid? Everyone who studies passes. Tom did not pass. Therefore Tom did not study.",
    ),
    "knowledge": (
        "Who wrote the novel Moby-Dick?",
        "when did the berlin wall come down",
        "what is the name of the largest moon of saturn",
        "Which British band released a famous album with a prism on its cover in 1973?",
        "In which country is the city of Timbuktu?",
        "Which organ produces insulin? A. liver B. pancreas C. kidney D. spleen",
        "Which process do plants use to turn sunlight into stored energy?",
        "Under the doctrine of consideration in contract law, which of the following promises is enforceable?",
        "A 45-year-old man comes to the physician because of chest pain for 2 hours. Which is the most "
        "likely diagnosis?",
        "What is the energy of a photon emitted when an electron falls from n=3 to n=2 in hydrogen, in eV?",
        "Which of the following reagents converts the ketone to a secondary alcohol, and what is the "
        "product's spectrum?",
        "According to Kant, a maxim is morally permissible only if",
        "How does quantitative easing by a central bank affect inflation and interest rates?",
    ),
    "extraction": (
        "Extract all names of persons and companies from the following text and return them as JSON.",
        "List every date and amount mentioned in this invoice:\nInvoice 2041, due 3 March 2021, total $1,250.00",
        "Passage: The bridge was opened in 1932 after eight years of work. Question: According to the "
        "passage, how long did it "
        "take to build the bridge?",
    ),
    "classification": (
        "Is the sentiment of this review positive or negative? 'The room was dirty and the staff ignored us.'",
        "Which intent does this message have: refund, card_lost, exchange_rate? 'I cannot find my card anywhere'",
        "Label each sentence as toxic or not toxic.",
        "True or false: whales are fish.",
    ),
    "summarisation": (
        "Summarize the following article in three sentences:",
        "Give me the key points of this meeting transcript as a short bulleted list.",
        "TL;DR of the text below, for a busy reader.",
    ),
    "translation": (
        "Translate the following sentence into French: 'Where is the nearest train station?'",
        "Wie sagt man 'I would like a coffee' auf Spanisch?",
        "Übersetze diesen Text ins Englische: Der Vertrag endet am Ende des Monats.",
    ),
    "creative": (
        "Write a short story about a lighthouse keeper who finds a message in a bottle.",
        "Write a coherent sentence that uses all of these words: dog, ball, park, throw",
        "Compose a poem about autumn in the style of a sonnet.",
        "Suggest ten catchy names for a new bakery.",
        "Draft a friendly email that invites colleagues to a summer party.",
    ),
    "chat": (
        "Hi! How are you today?",
        "I feel a bit lonely lately, can we talk?",
        "What should I cook for dinner tonight? I like pasta.",
        "Thanks, that was helpful. Can you explain it once more in simpler words?",
        "How do I prepare for a job interview?",
        "Explain to a child why the sky is blue.",
    ),
}
"""In English where the language does not matter: the surface marks tell tasks apart in other languages too."""
