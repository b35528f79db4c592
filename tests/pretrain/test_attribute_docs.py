from __future__ import annotations

from cxrbench.pretrain.attribute_docs import attribute_docs


class _Base:
    """A base.

    Attributes:
        width: of the head.
        depth: layers.
    """


class _Both(_Base):
    """More of it: with a colon.

    Attributes:
        alpha, beta: weights of two terms, which
            go over two lines: like this.
        depth: of the decoder.

    Raises:
        UserError: never.
    """


class _Silent(_Both):
    pass


def test_words_of_a_class_and_of_those_it_is_made_from() -> None:
    words = "weights of two terms, which go over two lines: like this."
    expected = {"width": "of the head.", "depth": "of the decoder.", "alpha": words, "beta": words}
    assert attribute_docs(_Both) == expected
    assert attribute_docs(_Silent) == expected
