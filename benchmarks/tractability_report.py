"""stub"""


def main(records):
    pass
